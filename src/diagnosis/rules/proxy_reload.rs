//! Several sessions end at the same moment, as when a process stops.

use crate::diagnosis::ends::{End, Ends, With};
use crate::diagnosis::finding::{About, Blame, Finding};
use crate::diagnosis::recipes;
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::CaptureView;
use crate::diagnosis::words;
use crate::routes::Software;
use crate::units::Span;

/// Several sessions end at the same moment, as when a process stops.
pub(super) static RULE: Rule = Rule {
    name: "proxy-reload",
    code: "WS503",
    severity: Severity::Error,
    summary: "several sessions end at the same moment, as when a proxy is reloaded",
    page: "\
## What it sees

Two or more sessions that the same proxy (or server) ends within a second, although they had not been silent for the
same time: with FIN or RST and no Close frame (nginx, HAProxy), or with a Close frame 1001 or 1012 on all of them
(Caddy). They are a good part of what it carries at that time, and stand out from the ends of other sessions in the
capture.

## Why it breaks

A reload of the configuration, a deployment or a restart stops the process that holds the connections. nginx lets old
workers go on with what they have, but `worker_shutdown_timeout`, which ingress controllers set, cuts that short.
Caddy closes what it forwards at once. All clients come back in the same second, and what they meet may be overloaded.

## How to mend it

A session cannot outlive the process that carries it, so the client has to connect again, after a random delay. What
helps besides is to reload less often and to let old processes live longer:

- nginx: `worker_shutdown_timeout` longer than sessions last, or none. ingress-nginx: `worker-shutdown-timeout`.
- HAProxy: `hard-stop-after` is what ends old processes; give it hours, or leave it out.
- Caddy since 2.7: `stream_close_delay 1h` in `reverse_proxy` keeps streams over a reload for that long. Before, every
  reload closes them.
- Applications that stop on purpose should send Close 1001 or 1012 (RFC 6455 section 7.4.1), so that clients know.
",
    see: "https://nginx.org/en/docs/ngx_core_module.html#worker_shutdown_timeout",
    explains: &["no-close-frame", "idle-timeout", "close-unanswered"],
    check: Check::Ends(check),
};

fn check(_: &CaptureView<'_>, ends: &Ends<'_, '_>) -> Vec<Finding> {
    let of = |group: &Vec<usize>| judge(&group.iter().filter_map(|at| ends.all.get(*at)).collect::<Vec<_>>());
    ends.together.iter().filter_map(of).collect()
}

fn judge(members: &[&End<'_, '_>]) -> Option<Finding> {
    let mut members = members.to_vec();
    members.sort_by_key(|end| end.route.index);
    let example = members.first()?;
    let first = members.iter().map(|end| end.at).min()?;
    let last = members.iter().map(|end| end.at).max()?;
    let is_announced = members.iter().all(|end| !end.is_cut());
    let number = u64::try_from(members.len()).unwrap_or(u64::MAX);
    let quietest = members.iter().map(|end| end.silence).max()?;
    let is_proxy = matches!(example.who, Blame::Proxy(..));
    let with = match example.with {
        With::CloseFrame(code) if is_announced => format!("with a Close frame {code} each"),
        _ => "without a Close frame".to_owned(),
    };
    let active = if is_announced {
        String::new()
    } else {
        format!(" None of them had been silent for more than {}.", words::span(quietest))
    };
    // Two sessions may be those of one user who was logged off; those that end with a word end as they should.
    let is_sure = members.len() > 2 && members.iter().all(|end| end.is_whole);
    let stopped =
        if is_proxy { "A reload or a restart does that." } else { "A restart or a deployment does that." };
    // Without the other side of the proxy nobody sees who was first.
    let passed_on = is_proxy && members.iter().all(|end| !end.route.has_hops() && end.over_tls().is_none());
    let finding = Finding::new(&RULE, example.who.clone(), "ends several sessions at the same moment")
        .at_most(if is_sure { Severity::Error } else { Severity::Warning })
        .about(About::Routes(members.iter().map(|end| end.route.index).collect()))
        .saying(format!(
            "{} end within {}, {with}.{active}",
            words::count(number, "session"),
            words::span(last.since(first).max(SHORTEST))
        ))
        .saying(stopped)
        .saying_also(passed_on.then(|| PASSED_ON.to_owned()))
        .shown_by(members.iter().map(|end| end.packet))
        .advising("Clients have to connect again by themselves, after a random delay.");
    Some(if is_proxy {
        let sites = members.iter().map(|end| end.site());
        let software = example.proxy().and_then(|proxy| proxy.software);
        finding.mended_by(recipes::at_each(sites, recipes::outlive_reloads)).advising(match software {
            None | Some(Software::Nginx | Software::Haproxy | Software::Caddy) => SETTINGS,
            Some(_) => "Reload less often, and let old processes live longer.",
        })
    } else {
        finding
    })
}

const SETTINGS: &str = "Reload less often, and let old processes live longer: worker_shutdown_timeout in nginx, \
    hard-stop-after in HAProxy, stream_close_delay in Caddy since 2.7; older releases of Caddy have nothing to set.";

const PASSED_ON: &str = "The capture lacks the other side of the proxy: if the application there restarted, it only passes \
    that on.";

/// Less is not worth telling.
const SHORTEST: Span = Span::from_millis(1);

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    /// Sessions with one server, each of which was last heard of so long before the end, ended by `end`.
    fn ended(silences_ms: &[u64], mut end: impl FnMut(&mut Script, &mut Talk)) -> Script {
        let mut script = Script::default();
        let longest = silences_ms.iter().copied().max().unwrap();
        let mut talks: Vec<Talk> = Vec::new();
        for number in 0..silences_ms.len() {
            let mut talk = script.connect(&format!("10.77.1.{}:50000", number + 2), PROXY);
            script.say(&mut talk, From::Client, request()).say(&mut talk, From::Server, switching());
            talks.push(talk);
        }
        let mut now = longest + 1;
        while now > 0 {
            now -= 1;
            for (talk, silence) in talks.iter_mut().zip(silences_ms) {
                if *silence == now {
                    script.say(talk, From::Client, text_frame(From::Client, "hello"));
                }
            }
            script.wait_ms(1);
        }
        for talk in &mut talks {
            end(&mut script, talk);
        }
        script
    }

    fn close(script: &mut Script, talk: &mut Talk) {
        script.close(talk, From::Server);
    }

    #[test]
    fn sessions_that_end_together_in_the_middle_of_things_are_a_reload() {
        let sentence = "proxy-reload: the server 10.77.1.1:80 ends several sessions at the same moment";
        for (silences, severity) in
            [(&[300, 100, 700][..], "error"), (&[300, 700], "warning"), (&[5_400, 1_200, 3_300], "error")]
        {
            let script = ended(silences, close);
            assert_eq!(script.leading(), format!("{severity} {sentence}"));
            assert_eq!(script.rules(), ["proxy-reload"], "it explains the missing close frames");
        }
        let finding = ended(&[300, 100, 700], close).finding("proxy-reload").unwrap();
        let detail =
            "3 sessions end within 1.0 ms, without a Close frame. None of them had been silent for more than";
        assert!(finding.detail[0].starts_with(detail), "{:?}", finding.detail);
    }

    #[test]
    fn sessions_that_end_for_other_reasons_are_none() {
        let by_client = ended(&[300, 100, 700], |script, talk| {
            script.close(talk, From::Client);
        });
        let one_by_one = ended(&[300, 100, 700], |script, talk| {
            script.wait_ms(1_500).close(talk, From::Server);
        });
        let normal = ended(&[300, 100, 700], |script, talk| {
            script.say(talk, From::Server, close_frame(From::Server, 1000));
            script.say(talk, From::Client, close_frame(From::Client, 1000)).close(talk, From::Server);
        });
        let idle = ended(&[3_000, 3_000, 3_001], close);
        for script in [by_client, one_by_one, normal, idle] {
            assert!(script.finding("proxy-reload").is_none());
        }
    }

    /// Sessions that come and go: `number` of them, one each 100 ms, each ended by the server after so long.
    fn churn(number: u64, lasting_ms: u64) -> Script {
        let mut script = Script::default();
        let mut open: Vec<(u64, Talk)> = Vec::new();
        for now in 0..number * 100 + lasting_ms {
            if now % 100 == 0 && now / 100 < number {
                let address = format!("10.77.{}.{}:50000", 3 + now / 20_000, now / 100 % 200 + 2);
                let mut talk = script.connect(&address, PROXY);
                script.say(&mut talk, From::Client, request()).say(&mut talk, From::Server, switching());
                open.push((now + lasting_ms - now % 7 * 13, talk));
            }
            for (_, mut talk) in open.extract_if(.., |(end, _)| *end == now) {
                script.close(&mut talk, From::Server);
            }
            script.wait_ms(1);
        }
        script
    }

    #[test]
    fn where_sessions_come_and_go_some_end_in_the_same_second() {
        for script in [churn(60, 700), churn(60, 3_000), churn(12, 1_500)] {
            assert!(script.finding("proxy-reload").is_none(), "{:?}", script.finding("proxy-reload"));
        }
    }

    #[test]
    fn a_few_of_many_sessions_are_no_reload() {
        let mut script = Script::default();
        let mut talks: Vec<Talk> = Vec::new();
        for number in 0..30 {
            let mut talk = script.connect(&format!("10.77.1.{}:50000", number + 2), PROXY);
            script.say(&mut talk, From::Client, request()).say(&mut talk, From::Server, switching());
            talks.push(talk);
        }
        for talk in &mut talks[..5] {
            script.wait_ms(10).close(talk, From::Server);
        }
        assert!(script.finding("proxy-reload").is_none());
        for talk in &mut talks[5..] {
            script.wait_ms(10).close(talk, From::Server);
        }
        assert!(script.finding("proxy-reload").is_some());
    }

    #[test]
    fn the_captures_of_reloads_name_the_proxy() {
        assert_eq!(
            leading_of("nginx-reload"),
            "error proxy-reload: nginx 1.22.1 (10.77.2.1) ends several sessions at the same moment"
        );
        assert!(
            leading_of("caddy-reload").starts_with("error proxy-reload: Caddy"),
            "{}",
            leading_of("caddy-reload")
        );
    }
}
