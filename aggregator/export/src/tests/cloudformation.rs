use super::*;

const YAML: &str = r#"# Shop: deployed by the pipeline
AWSTemplateFormatVersion: "2010-09-09"
Parameters:
  Mem: {Type: Number, Default: 1024}
Resources:
    Checkout:   # four deep, on purpose
        Type: AWS::Lambda::Function
        Properties:
            FunctionName: checkout
            MemorySize:   1024   # from the load test
            Role: !GetAtt Role.Arn
            Code: { S3Bucket: !Ref Bucket, S3Key: 'a.zip' }
    Quoted:
        Type: "AWS::Lambda::Function"
        Properties:
            'MemorySize': "1024"
            "FunctionName": 'quoted'
    Absent:
        Properties:
            # what it does
            Description: >-
              two
              lines
            Handler: app.handler # entry
            FunctionName: absent
        Type: AWS::Lambda::Function
    Ref:
        Type: AWS::Lambda::Function
        Properties: {FunctionName: by-ref, MemorySize: !Ref Mem}
    Computed:
        Type: AWS::Lambda::Function
        Properties:
            FunctionName: by-if
            MemorySize: !If [Prod, 1024, 512]
    Flow: {Type: AWS::Lambda::Function, Properties: {FunctionName: flow, Timeout: 3}}
    Other:
        Type: AWS::S3::Bucket
        Properties: {MemorySize: 1024}
"#;

#[test]
fn a_number_is_replaced_in_its_place() {
    let lines = changed(
        Format::CloudFormation,
        YAML,
        &[("checkout", 300), ("quoted", 10_240)],
    );
    assert_eq!(
        lines,
        [
            "-            MemorySize:   1024   # from the load test",
            "+            MemorySize:   300   # from the load test",
            "-            'MemorySize': \"1024\"",
            "+            'MemorySize': \"10240\"",
        ]
    );
}

#[test]
fn a_missing_size_gets_a_line() {
    let lines = changed(
        Format::CloudFormation,
        YAML,
        &[("absent", 300), ("flow", 512)],
    );
    assert_eq!(
        lines,
        [
            "+            MemorySize: 300",
            "-    Flow: {Type: AWS::Lambda::Function, Properties: {FunctionName: flow, Timeout: 3}}",
            "+    Flow: {Type: AWS::Lambda::Function, Properties: {MemorySize: 512, FunctionName: flow, Timeout: 3}}",
        ]
    );
    let patch = patched(Format::CloudFormation, YAML, &[("absent", 300)]);
    assert!(
        patch.text.contains(
            "Handler: app.handler # entry\n            MemorySize: 300\n            FunctionName"
        ),
        "{}",
        patch.text
    );
}

#[test]
fn anything_but_a_number_stays_and_is_reported() {
    let patch = patched(
        Format::CloudFormation,
        YAML,
        &[("by-ref", 300), ("by-if", 300)],
    );
    assert_eq!(patch.text, YAML);
    let rows = became(&patch);
    let Became::Left { line: 29, why } = rows[0] else {
        panic!("{rows:?}")
    };
    assert!(
        why.contains("the parameter Mem") && why.contains("300"),
        "{why}"
    );
    assert!(super::why(rows[1]).contains("computed by !If"), "{rows:?}");
}

#[test]
fn a_function_that_is_not_there_is_missing_and_the_others_are_changed() {
    let patch = patched(
        Format::CloudFormation,
        YAML,
        &[("nobody", 300), ("checkout", 300)],
    );
    assert_eq!(became(&patch)[0], &Became::Missing { hint: None });
    assert!(matches!(
        became(&patch)[1],
        Became::Changed {
            from: Some(1024),
            to: 300,
            line: 10,
            note: None,
        }
    ));
}

#[test]
fn carriage_returns_tabs_byte_order_marks_and_a_missing_last_newline_stay() {
    let crlf = format!("\u{feff}{}", YAML.trim_end().replace('\n', "\r\n"))
        .replace("Shop", "Shöp – größer");
    let all = [("checkout", 300), ("absent", 300), ("flow", 512)];
    let patch = patched(Format::CloudFormation, &crlf, &all);
    let plain = patched(Format::CloudFormation, YAML, &all).text;
    let wanted = format!("\u{feff}{}", plain.trim_end().replace('\n', "\r\n"));
    assert_eq!(patch.text, wanted.replace("Shop", "Shöp – größer"));
}

#[test]
fn json_keeps_its_layout() {
    let json = "{\n\t\"Resources\": {\n\t\t\"A\": {\"Type\": \"AWS::Lambda::Function\", \"Properties\": {\n\
                \t\t\t\"FunctionName\": \"a\",\n\t\t\t\"MemorySize\" : 1024,\n\t\t\t\"Role\": {\"Fn::GetAtt\": [\"R\", \"Arn\"]}\n\t\t}},\n\
                \t\t\"B\": {\"Type\": \"AWS::Lambda::Function\", \"Properties\": {\n\t\t\t\"FunctionName\": \"b\"\n\t\t}},\n\
                \t\t\"C\":{\"Type\":\"AWS::Lambda::Function\",\"Properties\":{\"FunctionName\":\"c\"}},\n\
                \t\t\"D\": {\"Type\": \"AWS::Lambda::Function\", \"Properties\": {\"FunctionName\": \"d\", \"MemorySize\": {\"Ref\": \"M\"}}}\n\t}\n}";
    let all = [("a", 300), ("b", 301), ("c", 302), ("d", 303)];
    let patch = patched(Format::CloudFormation, json, &all);
    assert_eq!(
        changes(json, &patch.text),
        [
            "-\t\t\t\"MemorySize\" : 1024,",
            "+\t\t\t\"MemorySize\" : 300,",
            "+\t\t\t\"MemorySize\": 301,",
            "-\t\t\"C\":{\"Type\":\"AWS::Lambda::Function\",\"Properties\":{\"FunctionName\":\"c\"}},",
            "+\t\t\"C\":{\"Type\":\"AWS::Lambda::Function\",\"Properties\":{\"MemorySize\":302,\"FunctionName\":\"c\"}},",
        ]
    );
    assert!(why(became(&patch)[3]).contains("computed by Ref"));
    serde_json::from_str::<serde_json::Value>(&patch.text).unwrap();
}

const SAM: &str = "Transform: AWS::Serverless-2016-10-31
Globals:
  Function:
    MemorySize: 1024
    Timeout: 10
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: one
      CodeUri: src/
      Events:
        Api: {Type: Api, Properties: {Path: /, Method: get}}
  Two:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: two
      MemorySize: 2048
";

/// What counts for every function is never changed: the function gets a size of its own, and only where that is
/// another one.
#[test]
fn globals_are_never_changed() {
    let lines = changed(Format::Sam, SAM, &[("one", 300), ("two", 1024)]);
    assert_eq!(
        lines,
        [
            "+      MemorySize: 300",
            "-      MemorySize: 2048",
            "+      MemorySize: 1024"
        ]
    );
    let same = patched(Format::Sam, SAM, &[("one", 1024)]);
    assert_eq!(same.text, SAM);
    assert_eq!(became(&same), [&Became::Already { line: 4 }]);
}

/// `&shared` counts wherever it is used: changing it would change others.
#[test]
fn what_others_use_too_stays() {
    let text = "Resources:
  A:
    Type: AWS::Lambda::Function
    Properties: &shared
      FunctionName: a
      MemorySize: 1024
  B:
    Type: AWS::Lambda::Function
    Properties:
      <<: *shared
      FunctionName: b
  C:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: c, MemorySize: &mb 1024}
  D:
    Type: AWS::Lambda::Function
    Properties: {FunctionName: d, MemorySize: *mb}
";
    let all = [("a", 300), ("b", 301), ("c", 302), ("d", 303)];
    let patch = patched(Format::CloudFormation, text, &all);
    assert_eq!(changes(text, &patch.text), ["+      MemorySize: 301"]);
    let rows = became(&patch);
    assert!(why(rows[0]).contains("by an anchor"), "{rows:?}");
    assert!(why(rows[2]).contains("by an anchor"), "{rows:?}");
    assert!(why(rows[3]).contains("an alias"), "{rows:?}");
}
