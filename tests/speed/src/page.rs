//! The page of a large fleet: how long the server takes for each page, and how many bytes go over the wire.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use reqwest::header::{ACCEPT_ENCODING, COOKIE, SET_COOKIE};
use rightsizer_tests::aggregator::Aggregator;
use tokio::process::Command;

/// Requests for each page; the median counts.
const TIMES: usize = 21;
const TOKEN: &str = "the-token-of-the-measurement";

/// What a page took.
#[derive(Debug, Clone)]
pub struct Page {
    /// What it is.
    pub name: &'static str,
    /// From the request to the last byte.
    pub took: Duration,
    /// CPU time of the server, which does not depend on what else the machine does.
    pub cpu: Duration,
    /// Bytes of the body on the wire.
    pub bytes: usize,
    /// What it should take at most.
    pub most: Duration,
}

/// Serves `store` by `binary`, and measures its pages. Returns how long the first look at the whole fleet takes, and
/// each page once the fleet has been read.
pub async fn measure(binary: &Path, store: &Path, function: &str) -> Result<(Duration, Vec<Page>)> {
    let arguments = ["--clock", "event", "--review-token", TOKEN];
    let log = store.with_extension("log");
    let serve =
        Aggregator::start_by(Command::new(binary), store, &arguments, &[], Some(&log)).await?;
    let client = Client::new();
    let address = serve.endpoint().to_owned();
    let cookie = signed_in(&client, &address).await?;
    let begun = Instant::now();
    // Until then, a page shows that the fleet is being read.
    while !whole(&client, &address, &cookie).await? {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let first = begun.elapsed();
    let quick = Duration::from_millis(200);
    let wanted = [
        ("fleet, the first page", String::new(), quick),
        ("fleet, page 1000", "/?page=1000".to_owned(), quick),
        ("fleet, filtered by name", "/?q=00042".to_owned(), quick),
        ("fleet, sorted by cost", "/?sort=cost".to_owned(), quick),
        (
            "function",
            format!("/ui/function?name={function}"),
            quick / 2,
        ),
        ("review", "/ui/review".to_owned(), quick),
        ("health", "/ui/health".to_owned(), quick),
        (
            "review API, 1000 functions",
            format!("/{TOKEN}/review?limit=1000&after={function}"),
            quick,
        ),
    ];
    let mut pages = Vec::new();
    for (name, path, most) in wanted {
        let mut runs = Vec::new();
        let (mut bytes, before) = (0, serve.cpu_time()?);
        for _ in 0..TIMES {
            let begun = Instant::now();
            bytes = get(&client, &format!("{address}{path}"), &cookie).await?;
            runs.push(begun.elapsed());
        }
        runs.sort_unstable();
        pages.push(Page {
            name,
            took: runs[TIMES / 2],
            cpu: serve.cpu_time()?.saturating_sub(before) / u32::try_from(TIMES)?,
            bytes,
            most,
        });
    }
    // A stop would decide every function, because the event clock takes it for the end of the input.
    serve.kill().await?;
    Ok((first, pages))
}

/// Signs in; returns the session's cookie.
async fn signed_in(client: &Client, address: &str) -> Result<String> {
    let form = format!("by=speed&token={TOKEN}");
    let sign_in = client.post(format!("{address}/ui/sign-in")).body(form);
    let entered = sign_in.send().await?;
    let cookie = entered.headers().get(SET_COOKIE).context("no session")?;
    let cookie = cookie.to_str()?.split(';').next();
    Ok(cookie.unwrap_or_default().to_owned())
}

/// Whether the fleet's page is there.
async fn whole(client: &Client, url: &str, cookie: &str) -> Result<bool> {
    let answer = client.get(url).header(COOKIE, cookie).send().await?;
    Ok(answer.text().await?.contains("id=\"functions\""))
}

async fn get(client: &Client, url: &str, cookie: &str) -> Result<usize> {
    let answer = client
        .get(url)
        .header(COOKIE, cookie)
        .header(ACCEPT_ENCODING, "gzip")
        .send()
        .await?;
    ensure!(answer.status().is_success(), "{url}: {}", answer.status());
    Ok(answer.bytes().await?.len())
}
