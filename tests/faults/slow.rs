//! A reader that takes nothing slows its peer down: memory is bounded, and all arrives once it reads.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};

use super::{Kept, as_client, memory};
use crate::support::{PATIENCE, Proxy, Server, eventually, expect};

/// More than poptape and four socket buffers hold.
const SIZE: usize = 192 << 20;

/// The most that may have left the sender while nobody reads: the buffers of two connections.
const UNDER_WAY: usize = 64 << 20;

/// In kB.
const MEMORY: u64 = 48 << 10;

fn pattern() -> Vec<u8> {
    b"a line of a message that goes on and on, and is the same all over..\r\n".repeat(1000)
}

/// Writes `SIZE` octets and counts those that were taken.
fn pour(stream: &mut TcpStream, poured: &AtomicUsize) {
    let chunk = pattern();
    let mut left = SIZE;
    while left > 0 {
        let taken = stream.write(&chunk[..chunk.len().min(left)]).unwrap();
        poured.fetch_add(taken, Ordering::Relaxed);
        left -= taken;
    }
}

/// Reads `SIZE` octets that are what was poured.
fn drain(stream: &mut TcpStream) {
    let mut octets = vec![0; SIZE];
    stream.read_exact(&mut octets).unwrap();
    // Whatever the sender's writes were, they began anew with each chunk that was taken whole.
    assert!(octets.iter().all(|octet| (b' '..=b'z').contains(octet) || b"\r\n".contains(octet)));
}

/// Waits until what was poured stands still while poptape does other things: a second session's round trips.
#[track_caller]
fn stalls(proxy: &Proxy, poured: &AtomicUsize) {
    let mut other = proxy.connect();
    other.write_all(b"OTHER\r\n").unwrap();
    expect(&mut other, b"+OK ready\r\n+OK\r\n");
    eventually("the sender waits", || {
        let before = poured.load(Ordering::Relaxed);
        assert!(before < UNDER_WAY, "{before} octets were taken though nobody reads");
        for _ in 0..500 {
            as_client(&mut other, &[("NOOP\r\n", "+OK\r\n")]);
        }
        before > 0 && before == poured.load(Ordering::Relaxed)
    });
    assert!(memory(proxy.pid(), "VmHWM") < MEMORY, "{} kB", memory(proxy.pid(), "VmHWM"));
}

/// A server with one session that does `script`, after its first line, and others in which every line is answered.
fn server(script: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> Server {
    Server::start(move |mut stream| {
        stream.write_all(b"+OK ready\r\n").unwrap();
        let mut first = [0; 7];
        stream.read_exact(&mut first).unwrap();
        if &first == b"SLOW!\r\n" {
            return script(stream);
        }
        stream.write_all(b"+OK\r\n").unwrap();
        let mut line = [0; 6];
        while stream.read_exact(&mut line).is_ok() {
            stream.write_all(b"+OK\r\n").unwrap();
        }
    })
}

fn shared<T>(receiver: Receiver<T>) -> Arc<std::sync::Mutex<Receiver<T>>> {
    Arc::new(std::sync::Mutex::new(receiver))
}

#[test]
fn a_client_that_does_not_read() {
    let poured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&poured);
    let server = server(move |mut stream| {
        // Nobody reads for as long as the test likes.
        stream.set_write_timeout(Some(PATIENCE * 4)).unwrap();
        pour(&mut stream, &count);
    });
    let proxy = Proxy::start(server.address, &["--sessions", "2", "--quiet"]);
    let mut client = proxy.connect();
    client.write_all(b"SLOW!\r\n").unwrap();
    expect(&mut client, b"+OK ready\r\n");
    stalls(&proxy, &poured);
    drain(&mut client);
    drop(client);
    done(proxy, |kept| &kept.server);
}

#[test]
fn a_server_that_does_not_read() {
    let (go, may_go) = channel::<()>();
    let may_go = shared(may_go);
    let server = server(move |mut stream| {
        may_go.lock().unwrap().recv().unwrap();
        drain(&mut stream);
    });
    let proxy = Proxy::start(server.address, &["--sessions", "2", "--quiet"]);
    let mut client = proxy.connect();
    client.write_all(b"SLOW!\r\n").unwrap();
    expect(&mut client, b"+OK ready\r\n");
    let poured = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&poured);
    let pouring = std::thread::spawn(move || {
        client.set_write_timeout(Some(PATIENCE * 4)).unwrap();
        pour(&mut client, &count);
    });
    stalls(&proxy, &poured);
    go.send(()).unwrap();
    pouring.join().unwrap();
    done(proxy, |kept| &kept.client);
}

/// Memory was bounded to the end, and the recording has every octet.
#[track_caller]
fn done(proxy: Proxy, octets: fn(&Kept) -> &Vec<u8>) {
    let left = proxy.wait();
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    let most = left.recordings().iter().map(|path| octets(&Kept::read(path)).len()).max();
    assert!(most.is_some_and(|most| most >= SIZE), "{most:?}");
}
