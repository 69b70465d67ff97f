//! Octets as what happens in a session. A mark, which is 0xff and a letter, says what is not in the octets; where it says
//! nothing, both are octets like all others. So what chance makes of a script is one, too.

use poptape::wire::Side;

/// Begins a mark.
pub const MARK: u8 = 0xff;

/// What happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A side sends octets, which come in one read.
    Octets(Side, Vec<u8>),
    /// Something else, by its letter.
    Mark(u8),
}

/// The steps of a script. `C` and `S` say who speaks from there on, in the beginning the client; `|` ends a read;
/// `marks` are the other letters that mean something.
pub fn steps(script: &[u8], marks: &[u8]) -> Vec<Step> {
    let (mut steps, mut side, mut octets) = (Vec::new(), Side::Client, Vec::new());
    let mut rest = script;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let (MARK, [letter, tail @ ..]) = (*first, tail) else {
            octets.push(*first);
            continue;
        };
        if !b"CS|".contains(letter) && !marks.contains(letter) {
            octets.push(*first);
            continue;
        }
        rest = tail;
        if !octets.is_empty() {
            steps.push(Step::Octets(side, std::mem::take(&mut octets)));
        }
        match letter {
            b'C' => side = Side::Client,
            b'S' => side = Side::Server,
            b'|' => {}
            letter => steps.push(Step::Mark(*letter)),
        }
    }
    if !octets.is_empty() {
        steps.push(Step::Octets(side, octets));
    }
    steps
}

/// The same where what a side sends comes in one read, up to what comes from elsewhere.
pub fn joined(steps: &[Step]) -> Vec<Step> {
    let mut joined: Vec<Step> = Vec::new();
    for step in steps {
        match (joined.last_mut(), step) {
            (Some(Step::Octets(last, all)), Step::Octets(side, octets)) if last == side => {
                all.extend_from_slice(octets);
            }
            _ => joined.push(step.clone()),
        }
    }
    joined
}

/// The same where each octet comes in a read of its own.
pub fn octet_by_octet(steps: &[Step]) -> Vec<Step> {
    let single = |step: &Step| match step {
        Step::Octets(side, octets) => octets.iter().map(|&octet| Step::Octets(*side, vec![octet])).collect(),
        Step::Mark(letter) => vec![Step::Mark(*letter)],
    };
    steps.iter().flat_map(single).collect()
}
