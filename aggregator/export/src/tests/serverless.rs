use super::*;

const YML: &str = "service: shop
custom: {mem: 1024}
provider:
  name: aws
  stage: ${opt:stage, 'dev'}
  memorySize: 1024 # the default
functions:
  api:
    handler: src/api.handler
  user-api:
    handler: src/user.handler
    memorySize: 2048
  named:
    name: ${self:service}-${sls:stage}-by-name
    handler: src/named.handler
    events:
      - http: {path: /, method: get}
  fixed:
    name: fixed
    handler: src/fixed.handler
    memorySize: ${self:custom.mem}
";

#[test]
fn functions_are_found_by_service_stage_and_key() {
    let all = [
        ("shop-prod-user-api", 512),
        ("shop-prod-by-name", 300),
        ("fixed", 300),
        ("other-prod-api", 300),
    ];
    let rules = Rules {
        stage: Some("prod".to_owned()),
        ..Rules::default()
    };
    let patch = patch(Format::Serverless, YML, &sizes(&all), &rules).unwrap();
    assert_eq!(
        changes(YML, &patch.text),
        [
            "-    memorySize: 2048",
            "+    memorySize: 512",
            "+    memorySize: 300"
        ]
    );
    assert!(
        patch
            .text
            .contains("handler: src/named.handler\n    memorySize: 300\n")
    );
    let rows = became(&patch);
    assert!(why(rows[2]).contains("${self:custom.mem}"), "{rows:?}");
    assert_eq!(rows[3], &Became::Missing { hint: None });
}

/// `shop-dev-user-api` is `user-api` in stage `dev`, or `api` in stage `dev-user`.
#[test]
fn a_name_that_two_functions_could_have_is_refused_until_the_stage_is_given() {
    let wanted = sizes(&[("shop-dev-user-api", 300)]);
    let refused = patch(Format::Serverless, YML, &wanted, &Rules::default());
    let Err(Refused::FunctionTwice { places, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(places, ["api, line 9", "user-api, line 11"]);
    let rules = Rules {
        stage: Some("dev".to_owned()),
        ..Rules::default()
    };
    let patch = patch(Format::Serverless, YML, &wanted, &rules).unwrap();
    assert_eq!(changes(YML, &patch.text).len(), 2);
    // If it is certain, no flag is needed.
    let lines = changed(Format::Serverless, YML, &[("shop-dev-by-name", 300)]);
    assert_eq!(lines, ["+    memorySize: 300"]);
}

#[test]
fn two_stages_of_one_function_are_refused() {
    let both = sizes(&[("shop-dev-by-name", 300), ("shop-prod-by-name", 600)]);
    let refused = patch(Format::Serverless, YML, &both, &Rules::default());
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("--stage") && error.contains("shop-prod-by-name"),
        "{error}"
    );
}

/// What `dev` needs is not what `prod` needs.
#[test]
fn sizes_of_two_stages_are_not_mixed() {
    let both = sizes(&[("shop-dev-by-name", 300), ("shop-prod-user-api", 600)]);
    let text = YML.replace("  api:", "  web:");
    let refused = patch(Format::Serverless, &text, &both, &Rules::default());
    let error = refused.unwrap_err().to_string();
    assert!(
        error.contains("stages (dev, prod)") && error.contains("--stage"),
        "{error}"
    );
    let rules = Rules {
        stage: Some("prod".to_owned()),
        ..Rules::default()
    };
    let patch = patch(Format::Serverless, &text, &both, &rules).unwrap();
    assert_eq!(patch.rows[0].became, Became::Missing { hint: None });
}

#[test]
fn the_providers_default_is_never_changed() {
    let same = patched(Format::Serverless, YML, &[("shop-dev-by-name", 1024)]);
    assert_eq!(same.text, YML);
    assert_eq!(became(&same), [&Became::Already { line: 6 }]);
}

#[test]
fn a_list_of_blocks_is_read_too() {
    let text = "service: s\nprovider: {name: aws}\nfunctions:\n  - ${file(more.yml)}\n  - a:\n      handler: a.b\n";
    let patch = patched(Format::Serverless, text, &[("s-dev-a", 300)]);
    assert_eq!(changes(text, &patch.text), ["+      memorySize: 300"]);
}
