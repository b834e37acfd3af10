//! The socket under a connection and the bodies that misbehave on it.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How many of something there are, and how many there were at most.
#[derive(Debug, Default)]
pub struct Gauge {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Gauge {
    /// Counts one more until the guard is dropped.
    pub fn enter(self: &Arc<Self>) -> Entered {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        Entered(Arc::clone(self))
    }

    /// How many there are.
    pub fn now(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    /// How many there were at most.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }
}

/// One that is counted.
pub struct Entered(Arc<Gauge>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What a connection is told to do otherwise than HTTP would.
#[derive(Debug, Default)]
pub struct Orders {
    /// It ends with a reset instead of an orderly close.
    reset: AtomicBool,
    /// These bytes are sent instead of whatever is written from now on.
    instead: Mutex<Option<Bytes>>,
}

impl Orders {
    /// Ends the connection with a reset instead of an orderly close.
    pub fn reset(&self) {
        self.reset.store(true, Ordering::SeqCst);
    }

    /// Sends `bytes` instead of whatever is written from now on.
    pub fn send_instead(&self, bytes: impl Into<Bytes>) {
        *self.instead.lock().unwrap() = Some(bytes.into());
    }

    /// Whether something else is sent than what is written.
    pub fn are_to_send_otherwise(&self) -> bool {
        self.instead.lock().unwrap().is_some()
    }

    fn are_to_reset(&self) -> bool {
        self.reset.load(Ordering::SeqCst)
    }
}

/// A TCP connection that follows [`Orders`].
pub struct Wire {
    stream: TcpStream,
    orders: Arc<Orders>,
    _open: Entered,
}

impl Wire {
    pub fn new(stream: TcpStream, orders: Arc<Orders>, open: Entered) -> Self {
        Self {
            stream,
            orders,
            _open: open,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.orders.are_to_reset() {
            // Closing with a linger of zero sends RST.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let orders = Arc::clone(&self.orders);
        let mut instead = orders.instead.lock().unwrap();
        let Some(instead) = instead.as_mut() else {
            return Pin::new(&mut self.stream).poll_write(context, bytes);
        };
        while !instead.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, instead))?;
            let _ = instead.split_to(sent);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.orders.are_to_reset() {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_shutdown(context),
        }
    }
}

/// One thing that a body does.
pub enum Step {
    /// Sends these bytes.
    Send(Bytes),
    /// Lets what was sent so far reach the socket.
    Flush,
    /// Breaks the connection off.
    Break,
    /// Sends these bytes again and again, with a pause before each time.
    Forever(Bytes, Duration),
}

/// A body that follows a script.
pub struct Script {
    steps: VecDeque<Step>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Script {
    pub fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            pause: None,
        }
    }

    /// These bytes and nothing odd.
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::new((!bytes.is_empty()).then_some(Step::Send(bytes)))
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(step) = self.steps.pop_front() else {
            return Poll::Ready(None);
        };
        match step {
            Step::Send(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            Step::Flush => {
                // A connection flushes whenever its body has nothing ready.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Step::Break => Poll::Ready(Some(Err(io::Error::other("broken off by the test")))),
            Step::Forever(bytes, pause) => {
                self.steps.push_front(Step::Forever(bytes.clone(), pause));
                if !pause.is_zero() {
                    let sleep = self
                        .pause
                        .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
                    ready!(sleep.as_mut().poll(context));
                    self.pause = None;
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        // Known only where the script is no more than its bytes.
        let mut length = 0;
        for step in &self.steps {
            match step {
                Step::Send(bytes) => length += bytes.len() as u64,
                _ => return SizeHint::default(),
            }
        }
        SizeHint::with_exact(length)
    }
}
