//! Whatever is posted by whomever: the process lives, in its bounds, and nothing of the platform's
//! own is lost.

use anyhow::{Context as _, Result};
use rightsizer_tests::emulator::{Environment, Faults, Reason, Sink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::{at, distinct, ended_well, invocation_text, ok, peaks, start, sum_up};

/// At any time, in KiB, if the stream works.
const BOUND_KIB: u64 = 8000;

async fn connected(environment: &Environment) -> Result<TcpStream> {
    let port = environment.telemetry_port().context("not subscribed")?;
    Ok(TcpStream::connect(("127.0.0.1", port)).await?)
}

/// Between two invocations something is done to the listener; both reports arrive, and in bounds.
async fn unharmed(
    name: &str,
    more: u64,
    attack: impl AsyncFnOnce(&mut Environment) -> Result<()>,
) -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    environment.invoke(ok(0, 90)).await?;
    attack(&mut environment).await.context(name.to_owned())?;
    environment.invoke(ok(1, 91)).await?;
    let peak_kib = environment.peak_kib()?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    sum_up(name, 2 + more, sink.reports(), &[&exit])?;
    let peaks = peaks(&distinct(sink.reports()));
    assert!(peaks.contains(&90) && peaks.contains(&91), "{peaks:?}");
    assert!(!exit.log.contains("panic"), "{}", exit.log);
    assert!(peak_kib < BOUND_KIB, "{name}: {peak_kib} KiB");
    Ok(())
}

#[tokio::test]
async fn a_body_of_fifty_megabytes_is_read_and_not_held() -> Result<()> {
    const SIZE: usize = 50_000_000;
    unharmed(
        "50 MB that are one text",
        0,
        async |environment: &mut Environment| {
            let mut body = b"[{\"time\":\"".to_vec();
            body.resize(SIZE, b'x');
            environment.post_raw(&body).await.map(drop)
        },
    )
    .await?;
    unharmed(
        "50 MB that are not JSON",
        0,
        async |environment: &mut Environment| {
            environment.post_raw(&vec![b'\\'; SIZE]).await.map(drop)
        },
    )
    .await?;
    unharmed(
        "50 MB of brackets",
        0,
        async |environment: &mut Environment| {
            environment.post_raw(&vec![b'['; SIZE]).await.map(drop)
        },
    )
    .await?;
    unharmed(
        "50 MB of unknown events",
        0,
        async |environment: &mut Environment| {
            let event = r#"{"time":"2026-01-31T10:00:00Z","type":"platform.new","record":{}}"#;
            let body = format!("[{}]", vec![event; SIZE / 66].join(","));
            environment.post_raw(body.as_bytes()).await.map(drop)
        },
    )
    .await
}

#[tokio::test]
async fn slow_open_connections_do_not_block_others() -> Result<()> {
    let mut held = Vec::new();
    unharmed(
        "40 slow connections",
        0,
        async |environment: &mut Environment| {
            for n in 0..40 {
                let mut slow = connected(environment).await?;
                let half: &[u8] = match n % 4 {
                    0 => b"",
                    1 => b"POST / HT",
                    2 => b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n[",
                    _ => b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n1\r\n",
                };
                environment.linger(slow.write_all(half)).await??;
                held.push(slow);
            }
            Ok(())
        },
    )
    .await
}

#[tokio::test]
async fn requests_sent_before_the_answer_to_the_one_before_all_count() -> Result<()> {
    unharmed(
        "pipelined requests",
        20,
        async |environment: &mut Environment| {
            let mut text = String::new();
            for n in 0..20 {
                let body = format!("[{}]", invocation_text(n, at(0)));
                text += &format!(
                    "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
            let mut socket = connected(environment).await?;
            environment
                .linger(async {
                    socket.write_all(text.as_bytes()).await?;
                    let mut answers = Vec::new();
                    while String::from_utf8_lossy(&answers).matches("200 OK").count() < 20 {
                        anyhow::ensure!(socket.read_buf(&mut answers).await? > 0, "closed");
                    }
                    Ok(())
                })
                .await?
        },
    )
    .await
}

#[tokio::test]
async fn input_that_is_not_http_does_no_harm() -> Result<()> {
    unharmed("no HTTP", 0, async |environment: &mut Environment| {
        let endless_header = [b"POST / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 3_000_000]].concat();
        let many_headers = [b"POST / HTTP/1.1\r\n".to_vec(), b"a: b\r\n".repeat(100_000)].concat();
        let bad_chunk =
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n".to_vec();
        let bad_length = b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n".to_vec();
        let tls = [&b"\x16\x03\x01\x02\x00\x01\x00"[..], &[0; 600]].concat();
        let http2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        for bytes in [
            endless_header,
            many_headers,
            bad_chunk,
            bad_length,
            tls,
            http2,
            vec![0; 100_000],
        ] {
            let mut socket = connected(environment).await?;
            environment
                .linger(async {
                    // Refused in the middle is refused.
                    let _ = socket.write_all(&bytes).await;
                    let _ = socket.shutdown().await;
                    let mut answer = Vec::new();
                    let _ = socket.read_to_end(&mut answer).await;
                })
                .await?;
        }
        Ok(())
    })
    .await
}

/// A batch in which bytes are changed, doubled, cut out: each is answered, and what arrives agrees
/// with its own `total`.
#[tokio::test]
async fn damaged_batches_of_every_kind_do_no_harm() -> Result<()> {
    let sink = Sink::start().await?;
    let mut environment = start(&sink, Faults::default()).await?;
    let texts: Vec<String> = (0..4).map(|n| invocation_text(n, at(0))).collect();
    let whole = format!("[{}]", texts.join(",")).into_bytes();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..1500 {
        let mut body = whole.clone();
        for _ in 0..=random(3) {
            let (from, len) = (random(body.len()), random(40));
            let to = (from + len).min(body.len());
            match random(4) {
                0 => body[from] = random(256) as u8,
                1 => body[from] = b"[]{}\",:0-9e.\\ntu"[random(16)],
                2 => drop(body.drain(from..to)),
                _ => {
                    let piece = body[from..to].to_vec();
                    body.splice(from..from, piece);
                }
            }
        }
        assert_eq!(environment.post_raw(&body).await?, 200);
    }
    let peak_kib = environment.peak_kib()?;
    let exit = environment.shutdown(Reason::Spindown).await?;
    ended_well(&exit)?;
    let records = distinct(sink.reports());
    let rows: usize = records.iter().map(|r| r.reports.len()).sum();
    assert!(
        rows >= 4 && records.last().map(|r| r.total) == Some(rows as u64),
        "{rows}"
    );
    assert!(
        peak_kib < BOUND_KIB && sink.faults().is_empty(),
        "{peak_kib} {:?}",
        sink.faults()
    );
    assert!(
        exit.log.lines().count() <= 3,
        "one warning a kind: {}",
        exit.log
    );
    Ok(())
}
