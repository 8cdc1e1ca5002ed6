//! `--metrics`: a page for Prometheus, over HTTP.
//!
//! A few threads take clients one by one; each client has so much time and so many bytes. Whoever captures is never waited
//! for with a lock held: a thread says that it wants numbers, and takes those that are there when they have come, or the
//! ones before.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::anyhow;

use super::now;
use crate::limits::{METRICS_CLIENTS, METRICS_PATIENCE, METRICS_REQUEST_BYTES};
use crate::report::metrics::{Exposition, Gauges, Metrics};

/// A socket that listens. Opened before the program gives up the right to do so.
pub(super) struct Listening {
    listener: TcpListener,
    address: SocketAddr,
}

/// Where numbers are handed over.
#[derive(Clone)]
pub(super) struct Board(Arc<(Mutex<Posted>, Condvar)>);

#[derive(Default)]
struct Posted {
    is_wanted: bool,
    /// How often numbers came.
    times: u64,
    numbers: Arc<(Metrics, Gauges)>,
}

impl Listening {
    /// Listens at an address, or at a port of the loopback.
    ///
    /// # Errors
    /// If that is no address, or cannot be listened at.
    pub(super) fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let cannot = |error: io::Error| anyhow!("cannot serve metrics on {address}: {}", reason(&error));
        let listener = TcpListener::bind(address).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self { listener, address })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Begins to serve.
    ///
    /// # Errors
    /// If there can be no more threads.
    pub(super) fn start(self) -> io::Result<Board> {
        let board = Board(Arc::default());
        for _ in 0..METRICS_CLIENTS {
            let (listener, board) = (self.listener.try_clone()?, board.clone());
            let serve = move || {
                loop {
                    match listener.accept() {
                        // What a client does wrong is its own business.
                        Ok((client, _)) => drop(serve(client, &board)),
                        // There are too many open files, or the like.
                        Err(_) => thread::sleep(Duration::from_millis(100)),
                    }
                }
            };
            thread::Builder::new().name("metrics".to_owned()).spawn(serve)?;
        }
        Ok(board)
    }
}

impl Board {
    /// Whether somebody waits for numbers.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).is_wanted
    }

    /// Hands numbers over.
    pub(super) fn post(&self, metrics: Metrics, gauges: Gauges) {
        let numbers = Arc::new((metrics, gauges));
        let mut posted = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut posted.numbers, numbers);
        (posted.is_wanted, posted.times) = (false, posted.times.saturating_add(1));
        drop(posted);
        self.0.1.notify_all();
        drop(before);
    }

    /// The numbers as they are now, or as they were if nobody hands any over in time.
    fn numbers(&self) -> Arc<(Metrics, Gauges)> {
        let mut posted = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = posted.times;
        posted.is_wanted = true;
        let waits = |posted: &mut Posted| posted.times == before;
        let (posted, _) =
            self.0.1.wait_timeout_while(posted, FRESH, waits).unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&posted.numbers)
    }
}

/// Answers one request.
fn serve(mut client: TcpStream, board: &Board) -> io::Result<()> {
    let until = now() + METRICS_PATIENCE;
    let answer = match request(&mut client, until)? {
        Some(asked) => asked.answer(board),
        None => answer("400 Bad Request", "text/plain", "", "no such request\n"),
    };
    write(&mut client, answer.as_bytes(), until)
}

/// What is asked for.
struct Asked {
    method: String,
    target: String,
    exposition: Exposition,
}

impl Asked {
    fn answer(&self, board: &Board) -> String {
        let path = self.target.split('?').next().unwrap_or_default();
        let (status, kind, fields, body) = match (self.method.as_str(), path) {
            ("GET" | "HEAD", "/metrics") => {
                let (metrics, gauges) = &*board.numbers();
                ("200 OK", self.exposition.media_type(), "", metrics.page(gauges, self.exposition))
            }
            ("GET" | "HEAD", "/") => ("200 OK", "text/plain", "", "wsinspect: see /metrics\n".to_owned()),
            ("GET" | "HEAD", _) => ("404 Not Found", "text/plain", "", "see /metrics\n".to_owned()),
            _ => ("405 Method Not Allowed", "text/plain", "Allow: GET, HEAD\r\n", "GET only\n".to_owned()),
        };
        let whole = answer(status, kind, fields, &body);
        if self.method == "HEAD" {
            return whole.split_once("\r\n\r\n").map_or(String::new(), |(head, _)| format!("{head}\r\n\r\n"));
        }
        whole
    }
}

fn answer(status: &str, kind: &str, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{fields}Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Reads a request; none if it is none, or too long.
fn request(client: &mut TcpStream, until: Instant) -> io::Result<Option<Asked>> {
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    loop {
        client.set_read_timeout(Some(rest(until)?))?;
        let read = client.read(&mut piece)?;
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(&head) {
            Ok(httparse::Status::Complete(_)) => return Ok(Some(asked(&request))),
            Ok(httparse::Status::Partial) if read > 0 && head.len() <= METRICS_REQUEST_BYTES => {}
            Ok(httparse::Status::Partial) | Err(_) => return Ok(None),
        }
    }
}

fn asked(request: &httparse::Request<'_, '_>) -> Asked {
    let wants = |name: &[u8]| {
        request
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case("Accept"))
            .any(|field| field.value.windows(name.len()).any(|window| window.eq_ignore_ascii_case(name)))
    };
    let exposition =
        if wants(b"application/openmetrics-text") { Exposition::OpenMetrics } else { Exposition::Text };
    Asked {
        method: request.method.unwrap_or_default().to_owned(),
        target: request.path.unwrap_or_default().to_owned(),
        exposition,
    }
}

fn write(client: &mut TcpStream, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        client.set_write_timeout(Some(rest(until)?))?;
        let written = client.write(bytes)?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// How much time is left.
fn rest(until: Instant) -> io::Result<Duration> {
    let rest = until.saturating_duration_since(now());
    if rest.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(rest) }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "somebody else does (choose another port)".to_owned(),
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied (choose a port above 1023)".to_owned(),
        _ => error.to_string(),
    }
}

/// How long fresh numbers are waited for.
const FRESH: Duration = Duration::from_secs(2);

/// Fields of a request.
const FIELDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered to these bytes.
    fn answered(board: &Board, address: SocketAddr, bytes: &[u8]) -> String {
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(bytes).unwrap();
        let ask = thread::Builder::new().spawn(move || {
            let mut text = String::new();
            client.read_to_string(&mut text).unwrap();
            text
        });
        let ask = ask.unwrap();
        while !ask.is_finished() {
            if board.is_wanted() {
                board.post(Metrics::default(), Gauges { open_sessions: 42, ..Gauges::default() });
            }
            thread::sleep(Duration::from_millis(1));
        }
        ask.join().unwrap()
    }

    #[test]
    fn requests_are_answered_and_nothing_else_harms() {
        let listening = Listening::open("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listening.address();
        let board = listening.start().unwrap();
        // Clients that say nothing keep nobody, as long as there are not too many.
        let silent: Vec<TcpStream> =
            (1..METRICS_CLIENTS).map(|_| TcpStream::connect(address).unwrap()).collect();
        let page = answered(&board, address, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;"), "{page}");
        assert!(page.contains("\nwsinspect_open_sessions 42\n"), "{page}");
        let open =
            b"GET /metrics?x HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0,*/*\r\n\r\n";
        let page = answered(&board, address, open);
        assert!(page.contains("application/openmetrics-text; version=1.0.0") && page.ends_with("# EOF\n"));
        let head = answered(&board, address, b"HEAD /metrics HTTP/1.0\r\n\r\n");
        assert!(head.ends_with("Connection: close\r\n\r\n"), "{head}");
        let cases: [(&[u8], &str); 5] = [
            (b"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK"),
            (b"GET /x HTTP/1.1\r\n\r\n", "HTTP/1.1 404 "),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "),
            (b"\x16\x03\x01\x00\x05hello\r\n\r\n", "HTTP/1.1 400 "),
            (&[b'A'; METRICS_REQUEST_BYTES + 1024], "HTTP/1.1 400 "),
        ];
        for (bytes, expected) in cases {
            let answer = answered(&board, address, bytes);
            assert!(answer.starts_with(expected), "{answer}");
        }
        drop(silent);
    }
}
