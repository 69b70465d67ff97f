//! The buffers that all sessions read into. A session owns none while it waits: it borrows one once its
//! socket is readable, and what it read is a reference-counted slice of it.

use std::io;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

/// The size of a block. One read takes at most this much.
const BLOCK: usize = 256 * 1024;

/// A read is not begun with less room than this: small reads are what makes a bulk transfer dear.
const ROOM: usize = 64 * 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Pool {
    block: Mutex<BytesMut>,
    /// What records are read into: they are opened at once.
    records: Mutex<Vec<u8>>,
}

impl Pool {
    /// Reads what is there: empty at the end of the stream. By a poll, which knows of a read that was not full that
    /// there is no more, and does not ask the system again.
    pub fn poll_read(&self, stream: &mut TcpStream, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        // A panic elsewhere cannot leave the buffer in a bad state.
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut block);
        ready!(pin!(stream.read_buf(&mut *block)).poll(cx))?;
        Poll::Ready(Ok(block.split().freeze()))
    }

    /// Gives what `fill` appends to a block.
    pub fn fill(&self, fill: impl FnOnce(&mut BytesMut)) -> Bytes {
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        fill(&mut block);
        block.split().freeze()
    }

    /// Reads TLS records that are there, and gives what `open` makes of them, which it appends to a block; None at the
    /// end of the stream.
    pub fn read_records(
        &self,
        stream: &TcpStream,
        open: impl FnOnce(&[u8], &mut BytesMut),
    ) -> io::Result<Option<Bytes>> {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.is_empty() {
            records.resize(BLOCK, 0);
        }
        let came = stream.try_read(&mut records)?;
        if came == 0 {
            return Ok(None);
        }
        let mut block = self.block.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut block);
        open(&records[..came], &mut block);
        Ok(Some(block.split().freeze()))
    }
}

/// Takes the same block again where nobody holds a slice of it any more.
fn make_room(block: &mut BytesMut) {
    if block.capacity() < ROOM {
        block.reserve(BLOCK);
    }
}
