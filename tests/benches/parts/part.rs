//! A part: works over the same material, some of them bounds.

use criterion::{Criterion, Throughput};

/// Several works that take the same material.
pub struct Part {
    pub name: &'static str,
    /// What a run takes in.
    pub amount: Throughput,
    pub works: Vec<Work>,
    pub comparisons: Vec<Comparison>,
}

/// Something that is measured. Its result is looked at by nobody, and cannot be left out.
pub struct Work {
    pub name: &'static str,
    pub run: Box<dyn FnMut() -> u64>,
}

/// A work beside a bound of the same part.
pub struct Comparison {
    pub work: &'static str,
    pub bound: &'static str,
    pub target: Target,
}

/// What a comparison is to come to.
#[derive(Clone, Copy)]
pub enum Target {
    /// So many times as fast, or faster.
    Speed(f64),
    /// So many times as long, or less.
    Time(f64),
    /// It is only shown.
    Open,
}

impl Part {
    pub fn new(name: &'static str, amount: Throughput) -> Self {
        Self { name, amount, works: Vec::new(), comparisons: Vec::new() }
    }

    pub fn work(mut self, name: &'static str, run: impl FnMut() -> u64 + 'static) -> Self {
        self.works.push(Work { name, run: Box::new(run) });
        self
    }

    pub fn compare(mut self, work: &'static str, bound: &'static str, target: Target) -> Self {
        self.comparisons.push(Comparison { work, bound, target });
        self
    }

    pub fn measure(&mut self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(self.name);
        group.throughput(self.amount.clone());
        for Work { name, run } in &mut self.works {
            group.bench_function(*name, |bencher| bencher.iter(&mut *run));
        }
        group.finish();
    }
}
