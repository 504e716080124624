//! A server with prices of its own: what it prints is by them, whatever the decisions were made with.

use serde_json::Value;

use crate::scene::{self, Scene, TOKEN};
use crate::visitor::Visitor;

/// Twice the built-in prices of most regions.
const TWICE: &str = "[price]\nx86_gb_second = 0.0000333334\narm64_gb_second = 0.0000266668\nmillion_requests = 0.40\n";

/// The dollars of a tile.
fn tile(page: &str, name: &str) -> f64 {
    let text = page.split(&format!("<dt>{name}</dt><dd>")).nth(1).unwrap();
    let text = text.split('<').next().unwrap().replace(['$', ','], "");
    text.parse().unwrap()
}

fn before(row: &Value) -> f64 {
    row["monthly_usd_before"].as_f64().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_has_the_prices_of_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    scene::make(folder.path()).await;
    let bill = "SELECT CAST(sum(monthly_usd_before) AS TEXT) FROM review_wide";
    let decided = |scene: &Scene| -> f64 { scene.asked(bill).unwrap().parse().unwrap() };
    let config = folder.path().join("twice.toml");
    std::fs::write(&config, TWICE).unwrap();
    let arguments = ["--config", config.to_str().unwrap()];
    let scene = Scene::of(folder, &arguments, &[]).await;
    let stored = decided(&scene);
    assert!(stored > 10.0, "{stored}");
    let near = |is: f64, wanted: f64| assert!((is / wanted - 1.0).abs() < 1e-3, "{is}: {wanted}");
    let endpoint = scene.server.endpoint();
    let list = reqwest::get(format!("{endpoint}/{TOKEN}/review")).await;
    let list: Vec<Value> = list.unwrap().json().await.unwrap();
    near(list.iter().map(before).sum(), 2.0 * stored);
    let dearest = list
        .iter()
        .max_by(|a, b| before(a).total_cmp(&before(b)))
        .unwrap();
    let name = dearest["function"].as_str().unwrap();
    let one = reqwest::get(format!("{endpoint}/{TOKEN}/review/{name}")).await;
    let one: Value = one.unwrap().json().await.unwrap();
    near(before(&one), before(dearest));
    let visitor = Visitor::sign_in(endpoint).await;
    near(tile(&visitor.page("").await, "Costs now"), 2.0 * stored);
    let page = visitor.page(&format!("/ui/function?name={name}")).await;
    near(tile(&page, "Cost a month"), before(dearest));
    near(decided(&scene), stored);
    scene.server.stop().await.unwrap();
}
