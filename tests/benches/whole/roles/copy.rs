//! The least that a proxy does: octets from one socket to another by tokio, on one thread; and the least that one
//! does that keeps them: the same with everything appended to a file.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Copies until it is killed; into `log`, a file a session, where there is such a folder.
pub fn run(upstream: SocketAddr, log: Option<&Path>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        super::ready(listener.local_addr().unwrap());
        let number = AtomicU32::new(0);
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let log = log.map(|folder| {
                let name = number.fetch_add(1, Ordering::Relaxed).to_string();
                Arc::new(OpenOptions::new().append(true).create_new(true).open(folder.join(name)).unwrap())
            });
            tokio::spawn(session(client, upstream, log));
        }
    });
}

async fn session(mut client: TcpStream, upstream: SocketAddr, log: Option<Arc<File>>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let Some(log) = log else {
        // A peer that goes away is its own affair.
        let _ = copy_bidirectional(&mut client, &mut server).await;
        return;
    };
    let ((client_from, client_to), (server_from, server_to)) = (client.into_split(), server.into_split());
    let _ =
        tokio::join!(logged(client_from, server_to, Arc::clone(&log)), logged(server_from, client_to, log));
}

async fn logged(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, log: Arc<File>) -> std::io::Result<()> {
    // As much as tokio's own copy takes at once.
    let mut buffer = vec![0; 8 * 1024];
    loop {
        let came = from.read(&mut buffer).await?;
        if came == 0 {
            return to.shutdown().await;
        }
        to.write_all(&buffer[..came]).await?;
        (&*log).write_all(&buffer[..came])?;
    }
}
