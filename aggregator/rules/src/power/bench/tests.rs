use super::*;

/// A generator of numbers (`SplitMix64`), so that each run is the same.
struct Random(u64);

impl Random {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A value around `median` that scatters by this share, with a log-normal distribution by Box and Muller.
    fn around(&mut self, median: f64, share: f64) -> f64 {
        let (a, b) = (self.unit().max(1e-12), self.unit());
        let normal = (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        median * (share * normal).exp()
    }
}

/// One start at 1024 MB, of a function that is called like its package.
fn start(package: Package, round: u32, start_ms: f64) -> ColdSample {
    ColdSample {
        tested: Tested {
            function: package.name().to_owned(),
            region: Some("eu-west-1".to_owned()),
            arm64: false,
            runtime: None,
            package,
        },
        memory_mb: Megabytes(1024),
        round,
        start_ms,
        handler_ms: 40.0,
    }
}

/// The experiment of github.com/fourTheorem/lambda-datasci-perf (December 2023), with starts drawn around what it
/// published: zip 3.0 s and zip with layers 3.25 s at every size and time, images between 7 and 10 s in the first round
/// and around 1.45 s in the later ones, and the same in all versions of Python.
fn published(starts: usize) -> Vec<ColdSample> {
    let mut random = Random(7);
    let mut samples = Vec::new();
    for python in ["3.8", "3.9", "3.10", "3.11"] {
        for package in [Package::Zip, Package::Layers, Package::Image] {
            for (size, round) in [1024, 1769, 3538, 10_240]
                .into_iter()
                .flat_map(|size| (0..3).map(move |round| (size, round)))
            {
                for _ in 0..starts {
                    let start_ms = match package {
                        Package::Zip => random.around(3003.0, 0.04),
                        Package::Layers => random.around(3259.0, 0.045),
                        _ if round == 0 => 7000.0 + 3000.0 * random.unit(),
                        _ => random.around(1450.0, 0.13),
                    };
                    let mut sample = start(package, round, start_ms);
                    sample.tested.function = format!("{}-{python}", package.name());
                    // Lambda does not know the runtime of an image.
                    let known = package != Package::Image;
                    sample.tested.runtime = known.then(|| format!("python{python}"));
                    sample.memory_mb = Megabytes(size);
                    samples.push(sample);
                }
            }
        }
    }
    samples
}

fn found(bench: &Bench, about: &About) -> (Verdict, f64) {
    let finding = bench.findings.iter().find(|found| found.about == *about);
    let finding = finding.unwrap_or_else(|| panic!("nothing about {about:?}"));
    (finding.verdict, finding.ratio.ratio)
}

fn assert_ratio((verdict, ratio): (Verdict, f64), wanted: f64) {
    assert_eq!(verdict, Verdict::Differs);
    assert!((ratio / wanted - 1.0).abs() < 0.05, "{ratio}");
}

/// Its conclusions: images start slowly right after the deployment (8,500 ÷ 3,003 = 2.8) and fast later (1,450 ÷ 3,003 =
/// 0.48), layers cost 8 %, and neither the size nor the version of Python matters.
#[test]
fn the_conclusions_of_a_published_experiment() {
    let bench = bench(&published(10), &PriceTable::default());
    assert_eq!(bench.cells.len(), 4 * 3 * 4 * 2);
    let packages = |stage, package, with| About::Package {
        stage,
        package,
        with,
    };
    let (zip, layers, image) = (Package::Zip, Package::Layers, Package::Image);
    assert_ratio(found(&bench, &packages(Stage::First, image, zip)), 2.83);
    assert_ratio(found(&bench, &packages(Stage::Later, image, zip)), 0.483);
    assert_ratio(found(&bench, &packages(Stage::Later, layers, zip)), 1.085);
    assert_ratio(found(&bench, &About::Stage { package: image }), 5.86);
    for package in [zip, layers] {
        let stages = found(&bench, &About::Stage { package });
        assert_eq!(stages.0, Verdict::Same);
    }
    for (package, stage) in [
        (zip, Stage::First),
        (zip, Stage::Later),
        (layers, Stage::Later),
    ] {
        let sizes = About::Size {
            package,
            stage,
            large: Megabytes(10_240),
            small: Megabytes(1024),
        };
        assert_eq!(found(&bench, &sizes).0, Verdict::Same, "{package:?}");
    }
    for runtime in ["3.11", "3.8", "3.9"] {
        let runtimes = About::Runtime {
            runtime: format!("python{runtime}"),
            with: "python3.10".to_owned(),
        };
        assert_eq!(found(&bench, &runtimes).0, Verdict::Same);
    }
    let words: Vec<String> = bench.findings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(words.join("\n"));
}

/// Five starts that scatter by a third show nothing about 10 %.
#[test]
fn noise_is_no_difference() {
    let scatter = [0.7, 0.85, 1.0, 1.2, 1.4];
    let zip = scatter.map(|by| start(Package::Zip, 0, 200.0 * by));
    let image = scatter.map(|by| start(Package::Image, 0, 220.0 * by));
    let bench = bench(&[zip, image].concat(), &PriceTable::default());
    assert_eq!(bench.findings.len(), 1);
    assert_eq!(bench.findings[0].verdict, Verdict::Unknown);
    let single = [
        start(Package::Zip, 0, 200.0),
        start(Package::Image, 0, 900.0),
    ];
    let bench = super::bench(&single, &PriceTable::default());
    assert_eq!(bench.findings[0].verdict, Verdict::Unknown);
    assert!(bench.findings[0].to_string().contains("too few"));
}

/// 2 % are certain if starts hardly scatter, and are too little to matter.
#[test]
fn a_small_difference_is_none() {
    let around = |package, ms: f64| {
        let each = (0..20).map(f64::from).map(move |n| ms * (1.0 + 0.0001 * n));
        each.map(move |ms| start(package, 0, ms))
    };
    let zip = around(Package::Zip, 200.0);
    let samples: Vec<ColdSample> = zip.chain(around(Package::Image, 204.0)).collect();
    let finding = &bench(&samples, &PriceTable::default()).findings[0];
    assert!(finding.ratio.low > 1.0, "{finding:?}");
    assert_eq!(finding.verdict, Verdict::Same);
}

/// The share of 400 runs without any difference in which one is reported; at most one in ten is meant to have one.
#[test]
fn equal_packages_seldom_differ() {
    let wrong = |seed: u64| {
        let mut random = Random(seed);
        let mut samples = Vec::new();
        for package in [Package::Zip, Package::Layers, Package::Image] {
            for _ in 0..12 {
                let ms = random.around(400.0, 0.2);
                samples.push(start(package, 0, ms));
            }
        }
        let findings = findings::findings(&samples);
        findings
            .iter()
            .any(|found| found.verdict == Verdict::Differs)
    };
    let runs = (0..400).filter(|seed| wrong(*seed)).count();
    assert!((8..=52).contains(&runs), "{runs} of 400");
}

/// 300 ms at 1 GB, a million times: 300,000 GB-s. A restore is not billed by time. The first caller waits 40 ms more.
#[test]
fn the_cost_of_starts_by_hand() {
    let samples = [
        start(Package::Zip, 0, 200.0),
        start(Package::Zip, 0, 400.0),
        start(Package::SnapStart, 0, 400.0),
    ];
    let cells = bench(&samples, &PriceTable::default()).cells;
    let [snapshot, zip] = cells.as_slice() else {
        panic!("{cells:?}")
    };
    let usd = zip.million_usd.unwrap();
    assert!(
        (usd / (300_000.0 * 0.000_016_666_7) - 1.0).abs() < 1e-9,
        "{usd}"
    );
    assert!((zip.p50_ms - 200.0).abs() < 1e-9 && (zip.p95_ms - 400.0).abs() < 1e-9);
    assert!((zip.wait_p50_ms - 240.0).abs() < 1e-9);
    assert_eq!((zip.starts, zip.p50_low_ms), (2, None));
    assert_eq!(snapshot.million_usd, None);
}

#[test]
fn a_sample_is_kept_as_one_line() {
    let sample = start(Package::Image, 1, 1450.5);
    let line = serde_json::to_string(&sample).unwrap();
    assert_eq!(serde_json::from_str::<ColdSample>(&line).unwrap(), sample);
    assert!(line.contains("\"package\":\"image\""), "{line}");
}
