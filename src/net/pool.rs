//! The buffer that all sessions read into. A session owns none while it waits: it borrows this one once its
//! socket is readable, and what it read is a reference-counted slice of it.

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;

/// The size of a block. One read takes at most this much.
const BLOCK: usize = 256 * 1024;

/// A read is not begun with less room than this: small reads are what makes a bulk transfer dear.
const ROOM: usize = 64 * 1024;

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Pool(Mutex<BytesMut>);

impl Pool {
    /// Reads what is there: empty at the end of the stream.
    pub fn read(&self, stream: &TcpStream) -> io::Result<Bytes> {
        // A panic elsewhere cannot leave the buffer in a bad state.
        let mut block = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if block.capacity() < ROOM {
            // Takes the same block again where nobody holds a slice of it any more.
            block.reserve(BLOCK);
        }
        stream.try_read_buf(&mut *block)?;
        Ok(block.split().freeze())
    }
}
