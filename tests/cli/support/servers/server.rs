//! The HTTP server under every backend: real sockets, a log of all requests, faults on command.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::{AbortHandle, JoinSet};

use super::super::wait::PATIENCE;
use super::clock::Clock;
use super::faults::{Ending, Fault, Faults};
use super::message::{Answer, Request};
use super::port::Port;
use super::tls::{Certificate, Tls};
use super::wire::{Gauge, Orders, Script, Step, Wire};

/// All servers of the test program run on these two threads.
pub static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime for the servers")
});

/// What a backend answers to a request.
pub trait Service: Send + Sync + 'static {
    /// Applies the request and answers it. `clock` is the server's own.
    fn answer(&self, request: &Request, clock: &Clock) -> Answer;
}

impl<F> Service for F
where
    F: Fn(&Request) -> Answer + Send + Sync + 'static,
{
    fn answer(&self, request: &Request, _clock: &Clock) -> Answer {
        self(request)
    }
}

/// How a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// Plain HTTP on loopback.
    Http,
    /// TLS on loopback, with this certificate.
    Tls(Certificate),
}

/// A server on a port of its own on 127.0.0.1, which stays its own when it stops. It stops when it
/// is dropped.
pub struct Server {
    port: Port,
    tls: Option<Arc<Tls>>,
    shared: Arc<Shared>,
    accepting: AbortHandle,
    stopped: Mutex<mpsc::Receiver<Infallible>>,
}

/// What the connections have in common.
struct Shared {
    service: Box<dyn Service>,
    log: Mutex<Vec<Request>>,
    faults: Faults,
    clock: Clock,
    accepted: AtomicUsize,
    open: Arc<Gauge>,
    working: Arc<Gauge>,
}

impl Server {
    /// Serves `service` from now on.
    pub fn start(listen: Listen, service: impl Service) -> Self {
        let tls = match listen {
            Listen::Http => None,
            Listen::Tls(certificate) => Some(Arc::new(Tls::new(certificate))),
        };
        let shared = Arc::new(Shared {
            service: Box::new(service),
            log: Mutex::default(),
            faults: Faults::default(),
            clock: Clock::default(),
            accepted: AtomicUsize::new(0),
            open: Arc::default(),
            working: Arc::default(),
        });
        let port = Port::take();
        let listener = port.listen();
        let (alive, stopped) = mpsc::channel();
        let accepting = RUNTIME.spawn(accept(listener, tls.clone(), Arc::clone(&shared), alive));
        Self {
            port,
            tls,
            shared,
            accepting: accepting.abort_handle(),
            stopped: Mutex::new(stopped),
        }
    }

    /// The base URL, without a slash at its end.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.port.address())
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The certificate of the authority to trust, of a server that speaks TLS.
    pub fn ca_file(&self) -> PathBuf {
        let tls = self.tls.as_ref().expect("a server that speaks TLS");
        tls.ca_file()
    }

    /// Every request so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.log.lock().unwrap().clone()
    }

    /// The requests so far as `METHOD /path?query`, to be compared at a glance.
    pub fn asked(&self) -> Vec<String> {
        let log = self.shared.log.lock().unwrap();
        log.iter()
            .map(|request| format!("{} {}", request.method, request.target()))
            .collect()
    }

    /// How many requests came for this method and path, the query aside.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let log = self.shared.log.lock().unwrap();
        log.iter()
            .filter(|request| request.is(method, path))
            .count()
    }

    /// Forgets the requests so far; connections stay counted.
    pub fn forget_requests(&self) {
        self.shared.log.lock().unwrap().clear();
    }

    /// How many connections were accepted so far. Over TLS, failed handshakes count as well.
    pub fn connections(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open.
    pub fn open_connections(&self) -> usize {
        self.shared.open.now()
    }

    /// How many connections were open at the same time, at most.
    pub fn peak_connections(&self) -> usize {
        self.shared.open.peak()
    }

    /// How many requests were worked on at the same time, at most.
    pub fn peak_requests(&self) -> usize {
        self.shared.working.peak()
    }

    /// The ways in which it is to fail.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Its clock.
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Stops it: once this returns, connections are refused.
    pub fn stop(&self) {
        self.accepting.abort();
        // The sender goes when the listener has gone.
        let stopped = self.stopped.lock().unwrap();
        assert_eq!(
            stopped.recv_timeout(PATIENCE),
            Err(mpsc::RecvTimeoutError::Disconnected),
            "the server stops"
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Accepts connections until it is aborted, which ends them all.
async fn accept(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    shared: Arc<Shared>,
    alive: mpsc::Sender<Infallible>,
) {
    // Moved in here, so that it is dropped after the listener.
    let (_alive, listener) = (alive, listener);
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            Ok((stream, _)) = listener.accept() => stream,
            Some(_) = connections.join_next() => continue,
        };
        let _ = stream.set_nodelay(true);
        let orders = Arc::new(Orders::default());
        let wire = Wire::new(stream, Arc::clone(&orders), shared.open.enter());
        let connection = Connection {
            number: shared.accepted.fetch_add(1, Ordering::SeqCst) + 1,
            orders,
            shared: Arc::clone(&shared),
        };
        let tls = tls.clone();
        connections.spawn(async move {
            match tls {
                None => connection.serve(wire).await,
                Some(tls) => {
                    if let Ok(stream) = tls.acceptor.accept(wire).await {
                        connection.serve(stream).await;
                    }
                }
            }
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct Withheld;

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer is withheld by the test")
    }
}

impl std::error::Error for Withheld {}

type Response = hyper::Response<Script>;

#[derive(Clone)]
struct Connection {
    number: usize,
    orders: Arc<Orders>,
    shared: Arc<Shared>,
}

impl Connection {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(|incoming| self.respond(incoming));
        // An error here is a client that went away, or a fault that the test asked for.
        let _ = http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await;
    }

    /// Logs a request, applies what is to befall it, and answers.
    async fn respond(&self, incoming: hyper::Request<Incoming>) -> Result<Response, Withheld> {
        let _working = self.shared.working.enter();
        let (head, body) = incoming.into_parts();
        let body = body.collect().await.map_err(|_| Withheld)?.to_bytes();
        let request = Request {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: head.uri.query().map(str::to_owned),
            headers: head.headers,
            body,
            connection: self.number,
            time: self.shared.clock.now(),
            answered: None,
        };
        let place = {
            let mut log = self.shared.log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        let response = self.apply(&request).await?;
        if self.orders.are_to_send_otherwise() {
            // What HTTP has of it is not what the client gets.
        } else if let Some(logged) = self.shared.log.lock().unwrap().get_mut(place) {
            logged.answered = Some(response.status().as_u16());
        }
        Ok(response)
    }

    async fn apply(&self, request: &Request) -> Result<Response, Withheld> {
        let shared = &self.shared;
        let handle = || shared.service.answer(request, &shared.clock);
        let finish = |answer: &Answer| self.response(answer, Script::plain(answer.body.clone()));
        let fault = shared.faults.decide(request);
        let answer = match &fault {
            Some(Fault::Answer(answer)) => {
                tokio::time::sleep(answer.work).await;
                return Ok(finish(answer));
            }
            Some(Fault::Instead(make)) => return Ok(finish(&make(request))),
            Some(Fault::RetryAtDate(seconds)) => {
                let date = shared.clock.http_date(*seconds);
                let answer = Answer::text(429, "Too Many Requests").header("retry-after", date);
                return Ok(finish(&answer));
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Bytes {
                applied: false,
                make,
                ending,
            }) => return Ok(self.bytes(make(&Answer::json(200, &json!({}))), *ending)),
            Some(Fault::Close { applied: false }) => return Err(Withheld),
            Some(Fault::EndlessBody) => return Ok(self.endless(1 << 16, Duration::ZERO)),
            Some(Fault::Drip(pause)) => return Ok(self.endless(4, *pause)),
            Some(Fault::Delay(delay)) => {
                tokio::time::sleep(*delay).await;
                handle()
            }
            Some(Fault::Before(hook)) => {
                tokio::task::block_in_place(|| hook());
                handle()
            }
            Some(Fault::After(hook)) => {
                let answer = handle();
                tokio::task::block_in_place(|| hook());
                answer
            }
            _ => handle(),
        };
        if !answer.work.is_zero() {
            tokio::time::sleep(answer.work).await;
        }
        let half = Bytes::copy_from_slice(&answer.body[..answer.body.len() / 2]);
        match fault {
            Some(Fault::Close { .. }) => Err(Withheld),
            Some(Fault::Bytes { make, ending, .. }) => Ok(self.bytes(make(&answer), ending)),
            Some(Fault::Changed(change)) => Ok(finish(&change(request, answer))),
            Some(Fault::Truncated) => Ok(self.response(&answer, Script::plain(half))),
            Some(Fault::ResetMidBody) => {
                self.orders.reset();
                let steps = [Step::Send(half), Step::Flush, Step::Break];
                let length = answer.body.len().max(1);
                let answer = answer.header("content-length", length);
                Ok(self.response(&answer, Script::new(steps)))
            }
            _ => Ok(finish(&answer)),
        }
    }

    /// These bytes in place of an answer.
    fn bytes(&self, bytes: Vec<u8>, ending: Ending) -> Response {
        self.orders.send_instead(bytes);
        let mut answer = Answer::status(200);
        if ending != Ending::Open {
            answer = answer.header("connection", "close");
        }
        if ending == Ending::Reset {
            self.orders.reset();
        }
        self.response(&answer, Script::plain(Bytes::new()))
    }

    /// 200 and JSON that never ends.
    fn endless(&self, chunk: usize, pause: Duration) -> Response {
        let chunk = Bytes::from(vec![b'x'; chunk]);
        let steps = [
            Step::Send(Bytes::from_static(b"{\"a\":\"")),
            Step::Forever(chunk, pause),
        ];
        let answer = Answer::status(200).header("content-type", "application/json");
        self.response(&answer, Script::new(steps))
    }

    fn response(&self, answer: &Answer, body: Script) -> Response {
        let mut response = hyper::Response::builder()
            .status(answer.status)
            .header("date", self.shared.clock.http_date(0));
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        response.body(body).expect("an answer that HTTP can carry")
    }
}
