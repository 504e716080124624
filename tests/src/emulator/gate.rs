//! A TCP proxy that stops at a byte of one connection, so that a scenario can freeze the extension
//! there and then check the state of the connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Small, so that a request of some size cannot vanish in the kernel's buffers at once.
const RECEIVE_BUFFER: u32 = 4096;

/// Where to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// After this number of bytes from the extension.
    Up(usize),
    /// After this number of bytes to the extension.
    Down(usize),
}

/// What becomes of a connection that was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It continues.
    GoOn,
    /// The other side has closed it.
    Close,
    /// The other side, or a router between, knows nothing of it any more.
    Reset,
}

/// Bytes of one connection, both ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// From the extension.
    pub up: usize,
    /// To the extension.
    pub down: usize,
}

/// A running proxy; ends when dropped.
pub struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// Taken by the next connection; each cut has a fate of its own.
    cut: Mutex<Option<(Cut, watch::Receiver<Option<Fate>>)>>,
    /// Of the connection that ended last.
    last: Mutex<Traffic>,
    /// Connections that have ended.
    ended: watch::Sender<usize>,
    reached: watch::Sender<bool>,
    fate: Mutex<watch::Sender<Option<Fate>>>,
}

impl Gate {
    /// Starts one in front of `upstream`, an address such as `127.0.0.1:4567`.
    pub fn start(upstream: &str) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(16)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::default());
        let (upstream, state) = (upstream.to_owned(), Arc::clone(&shared));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, upstream.clone(), Arc::clone(&state)));
            }
        });
        Ok(Self {
            address,
            shared,
            task,
        })
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection stops there.
    pub fn stop_at(&self, cut: Cut) {
        self.shared.reached.send_replace(false);
        let (sender, fate) = watch::channel(None);
        *lock(&self.shared.fate) = sender;
        *lock(&self.shared.cut) = Some((cut, fate));
    }

    /// Waits until a connection has stopped at its byte.
    pub async fn reached(&self, within: Duration) -> Result<()> {
        let mut reached = self.shared.reached.subscribe();
        let reached = tokio::time::timeout(within, reached.wait_for(|reached| *reached)).await;
        reached.context("no connection came to where it should stop")??;
        Ok(())
    }

    /// What becomes of the stopped connection.
    pub fn release(&self, fate: Fate) {
        lock(&self.shared.fate).send_replace(Some(fate));
    }

    /// Waits until this number of connections have ended.
    pub async fn ended(&self, connections: usize) {
        let mut ended = self.shared.ended.subscribe();
        // The sender lives as long as this.
        let _ = ended.wait_for(|ended| *ended >= connections).await;
    }

    /// Bytes of the connection that ended last.
    pub fn last(&self) -> Traffic {
        *lock(&self.shared.last)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(mut socket: TcpStream, upstream: String, shared: Arc<Shared>) {
    let cut = lock(&shared.cut).take();
    let (cut, fate) = cut.map_or((None, None), |(cut, fate)| (Some(cut), Some(fate)));
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        return;
    };
    let (up, down) = match cut {
        Some(Cut::Up(bytes)) => (Some(bytes), None),
        Some(Cut::Down(bytes)) => (None, Some(bytes)),
        None => (None, None),
    };
    let pumped = {
        let (from, to) = socket.split();
        let (server_from, server_to) = server.split();
        tokio::select! {
            both = async {
                tokio::join!(
                    pump(from, server_to, up.zip(fate.clone()), &shared),
                    pump(server_from, to, down.zip(fate.clone()), &shared),
                )
            } => Ok(both),
            fate = torn(fate.clone()) => Err(fate),
        }
    };
    match pumped {
        Ok((up, down)) => {
            *lock(&shared.last) = Traffic { up, down };
            shared.ended.send_modify(|ended| *ended += 1);
        }
        Err(Fate::Reset) => {
            // Dropped with this set, it is reset.
            let _ = socket.set_zero_linger();
        }
        // Dropping it closes it.
        Err(_) => {}
    }
}

async fn torn(fate: Option<watch::Receiver<Option<Fate>>>) -> Fate {
    let torn = |fate: &Option<Fate>| matches!(fate, Some(Fate::Close | Fate::Reset));
    if let Some(mut fate) = fate
        && let Some(fate) = fate.wait_for(torn).await.ok().and_then(|fate| *fate)
    {
        return fate;
    }
    std::future::pending().await
}

/// Copies until the end, stopping once after `stop` bytes. Returns how many there were.
async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut stop: Option<(usize, watch::Receiver<Option<Fate>>)>,
    shared: &Shared,
) -> usize {
    let (mut count, mut chunk) = (0, [0; 2048]);
    loop {
        if let Some((_, mut fate)) = stop.take_if(|(stop, _)| *stop == count) {
            shared.reached.send_replace(true);
            let _ = fate.wait_for(|fate| *fate == Some(Fate::GoOn)).await;
        }
        let room = stop
            .as_ref()
            .map_or(chunk.len(), |(stop, _)| (stop - count).min(chunk.len()));
        match from.read(&mut chunk[..room]).await {
            Ok(n @ 1..) if to.write_all(&chunk[..n]).await.is_ok() => count += n,
            _ => break,
        }
    }
    let _ = to.shutdown().await;
    count
}
