//! The server that has the store, if there is one, and its health.

use std::path::Path;

use serde_json::Value;

use super::finding::Finding;
use crate::cli::server::Server;

/// Asks the server that holds the store's lock.
pub(super) async fn examine(path: &Path) -> Finding {
    let check = "server";
    let Some(holder) = rightsizer_store::key::holder(path) else {
        return Finding::ok(check, "no server has this store open");
    };
    let server = match Server::holding(path, &holder) {
        Ok(Some(server)) => server,
        Ok(None) => return Finding::ok(check, format!("the store is in use by {holder}")),
        Err(error) => {
            let advice = "run this command as the server's user";
            return Finding::doubtful(check, format!("{holder}: {error:#}"), advice);
        }
    };
    match server.health().await {
        Ok(health) => judge(&holder, &health),
        Err(error) => Finding::wrong(
            check,
            format!("{holder} does not respond: {error:#}"),
            "check its log; if it hangs, stop it (what it acknowledged is stored) and start it \
             again",
        ),
    }
}

fn judge(holder: &str, health: &Value) -> Finding {
    let text = |key: &str| health[key].as_str().unwrap_or("unknown").to_owned();
    let behind = health["behind_seconds"]
        .as_f64()
        .map_or_else(String::new, |s| {
            format!(", {s:.0} seconds behind its stream")
        });
    let found = format!(
        "{holder} is {}, last commit {}{behind}",
        text("status"),
        text("last_commit")
    );
    let failing: Vec<String> = health["shards"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(shard, status)| Some(format!("{shard}: {}", status["failing"].as_str()?)))
        .collect();
    match text("status").as_str() {
        "stalled" => Finding::wrong(
            "server",
            found,
            "nothing was committed for a minute: check its log and the disk",
        ),
        "degraded" => Finding::wrong("server", found, failing.join("; ")),
        _ => Finding::ok("server", found),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_server_is_judged_by_its_health() {
        let well = json!({"status": "ok", "last_commit": "2026-03-01T10:00:00Z"});
        assert_eq!(judge("serve", &well).verdict, Verdict::Ok);
        let stalled = json!({"status": "stalled"});
        assert_eq!(judge("serve", &stalled).verdict, Verdict::Wrong);
        let shards = json!({"kinesis:reports/shardId-000000000000": {"failing": "AccessDenied"}});
        let degraded = judge("serve", &json!({"status": "degraded", "shards": shards}));
        assert_eq!(degraded.verdict, Verdict::Wrong);
        assert!(degraded.advice.unwrap().contains("AccessDenied"));
    }
}
