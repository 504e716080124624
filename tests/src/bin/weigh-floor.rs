//! The floor of the benchmark: the three requests of an extension's init over bare sockets, and
//! nothing else. What this costs, no extension can save.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

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
    let subscribe = format!("PUT /2022-07-01/telemetry HTTP/1.1\r\n{id}\r\n");
    let wanted = r#"{"schemaVersion":"2022-12-13","types":["platform"],"buffering":{"maxItems":1000,"maxBytes":262144,"timeoutMs":25},"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:9"}}"#;
    send(&host, &subscribe, wanted)?;
    let next = format!("GET /2020-01-01/extension/event/next HTTP/1.1\r\n{id}\r\n");
    send(&host, &next, "")?;
    Ok(())
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
