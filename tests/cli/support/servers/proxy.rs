//! A recording forward proxy: absolute-form requests and `CONNECT`.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};

use super::server::RUNTIME;

/// A proxy on a port of its own on 127.0.0.1. It stops when it is dropped.
///
/// It forwards to wherever it is asked to, and records the head of the first request on each
/// connection: of a `CONNECT` that is all it can see.
pub struct Proxy {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Starts it.
    pub fn start() -> Self {
        let listener = RUNTIME
            .block_on(TcpListener::bind(("127.0.0.1", 0)))
            .expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let accepting = RUNTIME.spawn(accept(listener, Arc::clone(&heads)));
        Self {
            address,
            heads,
            accepting: accepting.abort_handle(),
        }
    }

    /// The URL for `HTTP_PROXY` and `HTTPS_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The head of the first request on each connection, request line and headers.
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }

    /// The first line of each head.
    pub fn asked(&self) -> Vec<String> {
        let heads = self.heads();
        heads
            .iter()
            .filter_map(|head| head.lines().next().map(str::to_owned))
            .collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, heads: Arc<Mutex<Vec<String>>>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((client, _)) = listener.accept() => {
                // An error is a client or a server that went away.
                connections.spawn(forward(client, Arc::clone(&heads)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn forward(mut client: TcpStream, heads: Arc<Mutex<Vec<String>>>) -> io::Result<()> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    heads.lock().unwrap().push(head.clone());
    let Some((line, headers)) = head.split_once("\r\n") else {
        return Ok(());
    };
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    if method == "CONNECT" {
        let mut server = TcpStream::connect(target).await?;
        client
            .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
            .await?;
        server.write_all(&bytes[end..]).await?;
        copy_bidirectional(&mut client, &mut server).await?;
    } else if let Some(rest) = target.strip_prefix("http://") {
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let mut server = TcpStream::connect(host).await?;
        let path = if path.is_empty() { "/" } else { path };
        let head = format!("{method} {path} HTTP/1.1\r\n{headers}");
        server.write_all(head.as_bytes()).await?;
        server.write_all(&bytes[end..]).await?;
        copy_bidirectional(&mut client, &mut server).await?;
    } else {
        client
            .write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await?;
    }
    Ok(())
}
