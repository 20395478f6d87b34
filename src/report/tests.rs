use super::*;

static RULE: Rule = Rule { id: "values/missing-file", level: Level::Error, summary: "Every values file is there." };
static SOFT: Rule = Rule { id: "values/unused", level: Level::Warning, summary: "Every value is read." };

fn some() -> Vec<Finding> {
    let mut list = vec![
        Finding::new(&SOFT, "k8s/a.yaml", 0, "a <b> & \"c\"|d").in_environment("qa"),
        Finding::new(&RULE, "k8s/a: b,c.yaml", 3, "no such file:\n100 %").with_fix("add it").in_environment("dev"),
        Finding::new(&SOFT, "k8s/a.yaml", 0, "a <b> & \"c\"|d").in_environment("prod"),
    ];
    sort(&mut list);
    list
}

#[test]
fn the_same_in_two_environments_is_one() {
    let list = some();
    assert_eq!(list.len(), 2);
    let soft = list.iter().find(|f| f.rule.id == SOFT.id).unwrap();
    assert_eq!(soft.environments, ["prod", "qa"]);
}

#[test]
fn every_form_keeps_its_grammar() {
    let list = some();
    let text = write(Format::Terminal, "t", &list);
    assert!(text.ends_with("1 error, 1 warning\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&write(Format::Json, "t", &list)).unwrap();
    assert_eq!(json["errors"], 1);
    let sarif: serde_json::Value = serde_json::from_str(&write(Format::Sarif, "t", &list)).unwrap();
    let result = &sarif["runs"][0]["results"][1];
    let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "k8s/a%3A%20b%2Cc.yaml");
    let rule = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    let gitlab: serde_json::Value = serde_json::from_str(&write(Format::Gitlab, "t", &list)).unwrap();
    assert_eq!(gitlab[1]["severity"], "major");
    let github = write(Format::Github, "t", &list);
    assert!(
        github.contains(
            "::error file=k8s/a%3A b%2Cc.yaml,line=3,title=values/missing-file::no such file:%0A100 %25%0Aadd it\n"
        ),
        "{github}"
    );
    assert_eq!(github.lines().count(), 2);
    let junit = write(Format::Junit, "t", &list);
    assert!(junit.contains("tests=\"2\" failures=\"1\""), "{junit}");
    assert!(junit.contains("a &lt;b&gt; &amp; &quot;c&quot;|d"), "{junit}");
    // What is said of a whole file has no line.
    assert!(
        junit.contains("file=\"k8s/a.yaml\">") && junit.contains("file=\"k8s/a: b,c.yaml\" line=\"3\">"),
        "{junit}"
    );
    let markdown = write(Format::Markdown, "t", &list);
    assert!(markdown.contains("a &lt;b&gt; & \"c\"\\|d"), "{markdown}");
}

#[test]
fn a_comment_never_outgrows_the_limit() {
    let list: Vec<Finding> =
        (0..5000).map(|i| Finding::new(&RULE, format!("k8s/{i}.yaml"), 1, "é".repeat(50))).collect();
    let text = write(Format::Markdown, "t", &list);
    assert!(text.chars().count() <= markdown::LIMIT);
    assert!(text.contains("more, left out"), "the cut is said");
    assert!(text.contains("5000 errors"));
}

#[test]
fn a_fence_outgrows_the_text() {
    assert_eq!(markdown::fenced("diff", "a ```` b"), "`````diff\na ```` b\n`````\n");
}
