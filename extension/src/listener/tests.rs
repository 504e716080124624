//! Tests of `listener`.

use std::net::TcpStream;

use super::*;

/// The port of a listener that is served until the test ends.
fn served() -> u16 {
    let mut listener = Listener::bind().unwrap();
    let port = listener.port();
    tokio::spawn(async move {
        loop {
            listener.posted().await;
        }
    });
    port
}

/// Sends this number of requests on one connection, one after the other; returns whether the
/// last response closes it.
fn is_closed_after(port: u16, requests: u32) -> bool {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let mut last = Vec::new();
    for _ in 0..requests {
        let request = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n[]";
        socket.write_all(request).unwrap();
        last.clear();
        while !last.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.read_exact(&mut byte).unwrap();
            last.push(byte[0]);
        }
    }
    let last = String::from_utf8(last).unwrap();
    assert!(last.starts_with("HTTP/1.1 200 OK\r\n"), "{last}");
    last.contains("connection: close")
}

#[tokio::test]
async fn this_side_closes_once_the_platform_has_shown_that_it_keeps_none() {
    let port = served();
    let closed = async |requests| {
        let client = tokio::task::spawn_blocking(move || is_closed_after(port, requests));
        client.await.unwrap()
    };
    assert!(!closed(1).await && !closed(1).await);
    // It keeps one after all, so counting restarts.
    assert!(!closed(3).await);
    assert!(!closed(1).await && !closed(1).await && !closed(1).await);
    assert!(closed(1).await && closed(1).await);
}

/// In a segment of its own the close comes a moment after the response, and wakes the sender again.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_last_response_and_the_close_arrive_together() {
    let port = served();
    let client = tokio::task::spawn_blocking(move || {
        let arrive_together = || {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let request = b"POST / HTTP/1.1\r\nconnection: close\r\ncontent-length: 2\r\n\r\n[]";
            socket.write_all(request).unwrap();
            let mut answer = [0; LAST_ANSWER.len()];
            socket.read_exact(&mut answer).unwrap();
            assert_eq!(answer, *LAST_ANSWER);
            socket.set_nonblocking(true).unwrap();
            matches!(socket.read(&mut [0]), Ok(0))
        };
        (0..200).filter(|_| arrive_together()).count()
    });
    assert_eq!(client.await.unwrap(), 200);
}

#[tokio::test]
async fn a_sender_that_takes_its_time_is_served_too() {
    let port = served();
    let client = tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        for part in ["POST / HTTP/1.1\r\n", "content-length: 2\r\n\r\n[", "]"] {
            std::thread::sleep(Duration::from_millis(1200));
            socket.write_all(part.as_bytes()).unwrap();
        }
        let mut answer = [0; ANSWER.len()];
        socket.read_exact(&mut answer).unwrap();
        answer == *ANSWER
    });
    assert!(client.await.unwrap());
}

const EVENT: &str =
    r#"{"time":"2026-05-01T00:00:00Z","type":"platform.start","record":{"requestId":"r"}}"#;

fn post(events: &str) -> String {
    let length = events.len();
    format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\n{events}")
}

/// What is posted between two calls waits, and more connections than there is room for cost the oldest only.
#[tokio::test]
async fn what_waited_is_there_at_once_and_the_oldest_connection_gives_way() {
    let mut listener = Listener::bind().unwrap();
    assert_eq!(listener.posted_already().await, None);
    let mut sockets = Vec::new();
    for n in 0..=MOST_CONNECTIONS {
        let mut socket = TcpStream::connect(("127.0.0.1", listener.port())).unwrap();
        let events = vec![EVENT; n + 1].join(",");
        socket
            .write_all(post(&format!("[{events}]")).as_bytes())
            .unwrap();
        sockets.push(socket);
    }
    let mut counts = Vec::new();
    while counts.len() < sockets.len() {
        counts.push(listener.posted().await.events.len());
    }
    assert_eq!(counts, (1..=MOST_CONNECTIONS + 1).collect::<Vec<_>>());
    assert_eq!(listener.posted_already().await, None);
    for socket in &mut sockets {
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let mut answer = vec![0; ANSWER.len()];
        socket.read_exact(&mut answer).unwrap();
        assert_eq!(answer, ANSWER);
    }
    let oldest = &mut sockets[0];
    assert_eq!(oldest.read(&mut [0]).unwrap(), 0);
    let last = &mut sockets[MOST_CONNECTIONS];
    last.write_all(post("[]").as_bytes()).unwrap();
    last.write_all(post(&format!("[{EVENT}]")).as_bytes())
        .unwrap();
    assert_eq!(listener.posted().await.events.len(), 1);
}

/// Requests that arrive in one read are answered one after the other, and the events of each come before
/// the answer to the next one.
#[tokio::test]
async fn requests_that_come_together_are_posted_together() {
    let mut listener = Listener::bind().unwrap();
    let mut socket = TcpStream::connect(("127.0.0.1", listener.port())).unwrap();
    let both = [
        post(&format!("[{EVENT}]")),
        post(&format!("[{EVENT},7]")),
        post("{"),
    ]
    .concat();
    socket.write_all(both.as_bytes()).unwrap();
    let posted = listener.posted().await;
    assert_eq!((posted.events.len(), posted.unreadable), (2, 1));
    assert!(posted.broken.is_some());
    let mut answers = vec![0; 3 * ANSWER.len()];
    socket.read_exact(&mut answers).unwrap();
    assert_eq!(answers, ANSWER.repeat(3));
}

/// Bytes that bring no event must not keep the process from anything else.
#[tokio::test]
async fn a_flood_without_events_leaves_time_for_others() {
    let mut listener = Listener::bind().unwrap();
    let port = listener.port();
    let flood = std::thread::spawn(move || {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let begun = socket.write_all(b"POST / HTTP/1.1\r\ncontent-length: 99999999999\r\n\r\n[");
        while begun.is_ok() && socket.write_all(&[b' '; READ_BYTES]).is_ok() {}
    });
    let limit = Duration::from_millis(300);
    assert!(
        tokio::time::timeout(limit, listener.posted())
            .await
            .is_err()
    );
    drop(listener);
    flood.join().unwrap();
}
