//! The floor of the benchmark: the three requests of an extension's init over bare sockets, and for each POST of the
//! Telemetry API one accept, read, response and close, by the plain calls and without any option of the kernel.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the sender opens a connection for each request.
static IS_CLOSED_AFTER_ONE: AtomicBool = AtomicBool::new(false);

fn main() -> std::io::Result<()> {
    let host = std::env::var("AWS_LAMBDA_RUNTIME_API").map_err(std::io::Error::other)?;
    let register =
        "POST /2020-01-01/extension/register HTTP/1.1\r\nLambda-Extension-Name: weigh-floor\r\n";
    let answer = send(&host, register, r#"{"events":["SHUTDOWN"]}"#)?;
    let named = |line: &&str| {
        line.to_ascii_lowercase()
            .starts_with("lambda-extension-identifier:")
    };
    let id = answer.lines().find(named).unwrap_or_default();
    let listener = TcpListener::bind(("0.0.0.0", 0))?;
    let port = listener.local_addr()?.port();
    let subscribe = format!("PUT /2022-07-01/telemetry HTTP/1.1\r\n{id}\r\n");
    let wanted = format!(
        r#"{{"schemaVersion":"2022-12-13","types":["platform"],"buffering":{{"maxItems":1000,"maxBytes":262144,"timeoutMs":25}},"destination":{{"protocol":"HTTP","URI":"http://sandbox.localdomain:{port}"}}}}"#
    );
    send(&host, &subscribe, &wanted)?;
    // Ends with the process.
    std::thread::spawn(move || serve(&listener));
    let next = format!("GET /2020-01-01/extension/event/next HTTP/1.1\r\n{id}\r\n");
    send(&host, &next, "")?;
    Ok(())
}

/// Keeps each connection in a thread of its own, until one ended after one request; then it closes them itself.
fn serve(listener: &TcpListener) -> std::io::Result<()> {
    while !IS_CLOSED_AFTER_ONE.load(Ordering::Relaxed) {
        let (socket, _) = listener.accept()?;
        std::thread::spawn(move || {
            let requests = respond(socket, u32::MAX)?;
            IS_CLOSED_AFTER_ONE.fetch_or(requests == 1, Ordering::Relaxed);
            std::io::Result::Ok(())
        });
    }
    loop {
        let (socket, _) = listener.accept()?;
        respond(socket, 1)?;
    }
}

/// Responds to this number of requests, or as many as come; returns how many.
fn respond(mut socket: TcpStream, most: u32) -> std::io::Result<u32> {
    let mut bytes = [0; 8192];
    let mut requests = 0;
    while requests < most {
        let length = socket.read(&mut bytes)?;
        let Some(last) = length.checked_sub(1) else {
            break;
        };
        // The platform's events are a JSON array, so a request ends with a bracket.
        if bytes.get(last) == Some(&b']') {
            socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
            requests += 1;
        }
    }
    Ok(requests)
}

/// One request in one write; the answer's head.
fn send(host: &str, head: &str, body: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(host)?;
    socket.set_nodelay(true)?;
    let length = body.len();
    let request = format!(
        "{head}Host: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    socket.write_all(request.as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
    loop {
        let n = socket.read(&mut chunk)?;
        answer.extend_from_slice(&chunk[..n]);
        // The body is of no use here; the answers are small and come in one piece.
        if n == 0 || answer.windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok(String::from_utf8_lossy(&answer).into_owned());
        }
    }
}
