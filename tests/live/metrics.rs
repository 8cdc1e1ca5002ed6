//! `--metrics`, with a real Prometheus that asks for them.

use std::io::Write as _;
use std::process::Stdio;

use super::*;

const PROMETHEUS: [&str; 2] = ["prometheus", "promtool"];

/// What is answered at an address, asked from inside the namespace.
fn get(stage: &Stage, url: &str, accept: &str) -> String {
    let script = "import sys,urllib.request as u
print(u.urlopen(u.Request(sys.argv[1], headers={'Accept': sys.argv[2]}), timeout=10).read().decode(), end='')";
    stage.namespace.run("python3", &["-c", script, url, accept])
}

/// Asks Prometheus something.
fn query(stage: &Stage, expression: &str) -> Value {
    let script = "import sys,urllib.parse as p,urllib.request as u
print(u.urlopen('http://127.0.0.1:9090/api/v1/query?' + p.urlencode({'query': sys.argv[1]}), timeout=10).read().decode())";
    let answer = stage.namespace.run("python3", &["-c", script, expression]);
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["status"], "success", "{expression}: {answer}");
    answer["data"]["result"].clone()
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("monitoring").join(name)
}

/// Every query of the dashboard, with what Grafana puts in for its variables.
fn dashboard_queries() -> Vec<(String, String)> {
    let dashboard = std::fs::read_to_string(file("grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            let expression = expression.replace("$__rate_interval", "1m").replace("$host", ".*");
            assert!(!expression.contains('$'), "{expression}");
            queries.push((panel["title"].as_str().unwrap().to_owned(), expression));
        }
    }
    queries
}

#[test]
fn prometheus_reads_the_metrics() {
    let Some(stage) = Stage::with("prometheus", &PROMETHEUS) else { return };
    let filter = ["tcp", "and", "not", "port", "9099", "and", "not", "port", "9090"];
    let mut live = stage.namespace.live(&[&["-i", "lo", "--metrics", "9099"], &filter[..]].concat());
    let start = parse(&live.until(1, "\"start\""));
    assert_eq!(start[0]["metrics"], "127.0.0.1:9099");
    // It is confined all the same, and has nothing but this socket.
    assert!(start[0]["confinement"].to_string().contains("Landlock"), "{start:?}");
    let configuration = stage.path("prometheus.yml");
    let rules = file("alerts.yml");
    let text = format!(
        "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n\
         - {{job_name: wsinspect, static_configs: [{{targets: ['127.0.0.1:9099']}}]}}\n",
        rules.display()
    );
    std::fs::write(&configuration, text).unwrap();
    let mut shell = stage.namespace.command("sh");
    let prometheus = format!(
        "exec prometheus --config.file='{}' --storage.tsdb.path='{}' --web.listen-address=127.0.0.1:9090 2>&1",
        configuration.display(),
        stage.path("data").display()
    );
    let mut prometheus = stage.namespace.start(shell.args(["-c", &prometheus]));
    prometheus.until(1, "Server is ready to receive web requests");
    for _ in 0..4 {
        stage.talk("8080", &["/ws", "/ws", "/plain", "/missing"]);
        std::thread::sleep(std::time::Duration::from_millis(700));
    }
    // All attempts are judged a second later, and asked for a second after that.
    let attempts = "sum by (outcome, status, rule) (wsinspect_attempts_total{host=\"chat.example.test\"})";
    let counted = asked_until(&stage, attempts, |counted| {
        let sum = counted.as_array().unwrap().iter().map(value).sum::<f64>();
        (sum - 16.0).abs() < 0.1
    });
    let mut counted: Vec<(String, f64)> = counted
        .as_array()
        .unwrap()
        .iter()
        .map(|series| {
            let label = |name: &str| series["metric"][name].as_str().unwrap_or_default().to_owned();
            (format!("{} {} {}", label("outcome"), label("status"), label("rule")), value(series))
        })
        .collect();
    counted.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [
        ("established 101 none".to_owned(), 8.0),
        ("refused 404 route-missing".to_owned(), 4.0),
        ("refused 404 upgrade-stripped".to_owned(), 4.0),
    ];
    assert_eq!(counted, expected);

    // The page itself, in both formats.
    let page = get(&stage, "http://127.0.0.1:9099/metrics", "text/plain");
    let mut check = Command::new("promtool");
    let mut check =
        check.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = check.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}\n{page}", String::from_utf8_lossy(&checked.stdout));
    let open = get(&stage, "http://127.0.0.1:9099/metrics", "application/openmetrics-text");
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE wsinspect_attempts counter\n"), "{open}");
    assert!(value(&query(&stage, "up{job=\"wsinspect\"}")[0]) > 0.5);

    // What is shipped works on it. A rate shows nothing before a series was asked for twice.
    for (panel, expression) in dashboard_queries() {
        let result = asked_until(&stage, &expression, |result| *result != Value::Array(Vec::new()));
        assert_ne!(result, Value::Array(Vec::new()), "{panel} shows nothing: {expression}");
    }
    let rules = get(&stage, "http://127.0.0.1:9090/api/v1/rules", "*/*");
    let rules: Value = serde_json::from_str(&rules).unwrap();
    let rules = rules["data"]["groups"][0]["rules"].as_array().unwrap().clone();
    assert_eq!(rules.len(), 6, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    let (lines, status) = live.interrupt();
    assert_eq!(status, 0);
    assert_eq!(parse(&lines).pop().unwrap()["attempts"]["total"], 32);
}

#[test]
fn an_address_that_cannot_be_had_is_told() {
    let Some(namespace) = Namespace::new("address", &["ip"]) else { return };
    let mut live = namespace.command(env!("CARGO_BIN_EXE_wsinspect"));
    let output = live.args(["live", "-i", "lo", "--metrics", "192.0.2.1:9099"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "wsinspect: cannot serve metrics on 192.0.2.1:9099: this machine has no such address\n"
    );
}

/// What Prometheus answers once it is what is waited for, or in the end.
fn asked_until(stage: &Stage, expression: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    let mut answer = query(stage, expression);
    for _ in 0..60 {
        if is_it(&answer) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
        answer = query(stage, expression);
    }
    answer
}

fn value(series: &Value) -> f64 {
    series["value"][1].as_str().unwrap().parse().unwrap()
}
