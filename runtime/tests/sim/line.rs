//! The lines between outlets and the cloud: a transport of the engine's own kind, without sockets. Each request takes
//! its time and may meet the weather. What was sent goes on although its sender dies.

use crate::cloud::{Cloud, Spoil};
use crate::dice::{Dice, of};
use crate::plan::Fault;
use crate::time::WorldTime;
use crate::trace::Trace;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use selaras::clock::Clock;
use selaras::cloud::{Exchange, LinkError, Request, Response, Transport};
use selaras_core::offset::Reading;
use selaras_core::stamp::Millis;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::oneshot;

/// When the outlet stops waiting.
const PATIENCE_MS: u64 = 60_000;

/// What may happen to requests of a line, in so many of 100.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    pub faults: Vec<Fault>,
    pub percent: u64,
}

/// An outlet's line.
pub struct Line {
    pub outlet: usize,
    pub clock: Arc<dyn Clock>,
    pub net: Arc<Net>,
}

/// What all lines share.
pub struct Net {
    pub seed: u64,
    pub time: WorldTime,
    pub trace: Arc<Trace>,
    pub cloud: Arc<Mutex<Cloud>>,
    /// Of each outlet: requests so far, and its weather.
    pub lines: Mutex<Vec<(u64, Weather)>>,
}

/// What becomes of a request.
struct Fate {
    there_ms: u64,
    back_ms: u64,
    fault: Option<Fault>,
    dice: Dice,
}

impl Net {
    fn fate(&self, outlet: usize) -> (u64, Fate) {
        let mut lines = self.lines.lock().expect("no panic holds it");
        let (count, weather) = &mut lines[outlet];
        *count += 1;
        let mut dice = Dice::of(self.seed, &[of::LINE, outlet as u64, *count]);
        let bad = !weather.faults.is_empty() && dice.chance(weather.percent, 100);
        let fault = bad.then(|| dice.pick(&weather.faults));
        let fate = Fate {
            there_ms: 1 + dice.below(60),
            back_ms: 1 + dice.below(60),
            fault,
            dice,
        };
        (*count, fate)
    }

    /// The request arrives. None: no answer comes out of it.
    fn act(&self, outlet: usize, request: &Request, fault: Option<Fault>, dice: &mut Dice) -> (u16, String) {
        let path = request.url.split("/api/v1/").nth(1).unwrap_or_default();
        let call = path.split('/').nth(2).unwrap_or(path);
        let mut cloud = self.cloud.lock().expect("no panic holds it");
        let said = |status: u16| (status, format!(r#"{{"success":false,"error":"e{status}"}}"#));
        match fault {
            Some(Fault::Refused) => return said(dice.pick(&[401, 403, 404])),
            Some(Fault::TooMany) => {
                let body = r#"{"success":false,"error":"rate_limit_exceeded","retry_after":7}"#;
                return (429, body.to_owned());
            }
            Some(Fault::Server) if dice.chance(1, 2) => return said(dice.pick(&[500, 502, 503])),
            Some(Fault::Blamed) if request.method == Method::POST => {
                cloud.blame_request(outlet, &request.body);
                return said(dice.pick(&[400, 413, 422]));
            }
            Some(Fault::Gone) if call.starts_with("updates") && !call.contains("since=1970") => {
                return said(410);
            }
            _ => {}
        }
        let spoil = Spoil {
            fail: fault == Some(Fault::Failed),
            garble: fault == Some(Fault::Garbled),
        };
        let answer = if path == "ping" {
            Some(serde_json::json!({"success": true}))
        } else if call == "sync" {
            match cloud.batch(outlet, &request.body, spoil) {
                Some(answer) => Some(answer),
                None => return said(500),
            }
        } else if let Some((_, since)) = call.split_once("since=") {
            let since = since.split('&').next().unwrap_or_default();
            match cloud.updates(outlet, &unescape(since)) {
                Some(answer) => Some(answer),
                None => return said(410),
            }
        } else {
            None
        };
        let Some(answer) = answer else { return said(404) };
        match fault {
            Some(Fault::Server) => said(504),
            Some(Fault::Nonsense) => {
                let text = answer.to_string();
                let cut = text[..text.len() / 2].to_owned();
                let page = "<html>log in</html>".to_owned();
                let failed = r#"{"success":false,"message":"busy"}"#.to_owned();
                match dice.below(3) {
                    0 => (200, cut),
                    1 => (200, page),
                    _ => (200, failed),
                }
            }
            _ => (200, answer.to_string()),
        }
    }
}

impl Line {
    async fn exchange(&self, request: Request) -> Result<Response, LinkError> {
        let net = self.net.clone();
        let (number, mut fate) = net.fate(self.outlet);
        net.trace.count("requests");
        if let Some(fault) = fate.fault {
            net.trace.count(name(fault));
        }
        let outlet = self.outlet;
        let what = format!(
            "outlet {outlet} request {number} {} {:?}",
            request.url, fate.fault
        );
        net.trace.note(net.time.ms(), &what);
        let (tell, answer) = oneshot::channel();
        match fate.fault {
            Some(Fault::Unreachable) => {
                sleep(fate.there_ms).await;
                return Err(LinkError::Unreachable("no route".to_owned()));
            }
            Some(Fault::LostRequest) => return lost(&mut fate.dice).await,
            Some(Fault::Slow) => {
                fate.there_ms += fate.dice.below(50_000);
                fate.back_ms += fate.dice.below(50_000);
            }
            _ => {}
        }
        let again = (fate.fault == Some(Fault::Twice)).then(|| 1 + fate.dice.below(90_000));
        let (lost_answer, mut dice) = (fate.fault == Some(Fault::LostAnswer), fate.dice.clone());
        tokio::spawn(async move {
            sleep(fate.there_ms).await;
            let (status, body) = net.act(outlet, &request, fate.fault, &mut fate.dice);
            let line = format!("outlet {outlet} request {number}: {status} {body}");
            net.trace.note(net.time.ms(), &line);
            let date = net.time.wall_ms();
            sleep(fate.back_ms).await;
            // Who gave up waiting does not hear it.
            let _ = tell.send((status, body, date));
            if let Some(later) = again {
                sleep(later).await;
                net.act(outlet, &request, None, &mut fate.dice);
            }
        });
        if lost_answer {
            sleep(fate.there_ms + 1).await;
            return lost(&mut dice).await;
        }
        let waited = tokio::time::timeout(Duration::from_millis(PATIENCE_MS), answer).await;
        let Ok(Ok((status, body, date))) = waited else {
            return Err(LinkError::Timeout(Duration::from_millis(PATIENCE_MS)));
        };
        let mut headers = HeaderMap::new();
        let date = httpdate(date);
        headers.insert(http::header::DATE, HeaderValue::from_str(&date).expect("a date"));
        Ok(Response {
            status,
            headers,
            received: Reading {
                wall: Millis(self.clock.wall_ms()),
                mono_ms: self.clock.mono_ms(),
                boot: self.clock.boot(),
            },
            body: Bytes::from(body),
        })
    }
}

impl Transport for Line {
    fn call(&self, request: Request) -> Exchange<'_> {
        Box::pin(self.exchange(request))
    }
}

/// Nothing comes back: soon, when the connection breaks, or when patience ends.
async fn lost(dice: &mut Dice) -> Result<Response, LinkError> {
    if dice.chance(1, 3) {
        sleep(PATIENCE_MS).await;
        return Err(LinkError::Timeout(Duration::from_millis(PATIENCE_MS)));
    }
    sleep(1 + dice.below(2_000)).await;
    Err(LinkError::Interrupted("the connection broke".to_owned()))
}

async fn sleep(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn httpdate(wall_ms: i64) -> String {
    let since = Duration::from_millis(u64::try_from(wall_ms).expect("after 1970"));
    httpdate::fmt_http_date(std::time::UNIX_EPOCH + since)
}

fn unescape(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Unreachable => "fault: unreachable",
        Fault::LostRequest => "fault: lost request",
        Fault::LostAnswer => "fault: lost answer",
        Fault::Twice => "fault: twice",
        Fault::Slow => "fault: slow",
        Fault::Refused => "fault: 401, 403, 404",
        Fault::TooMany => "fault: 429",
        Fault::Server => "fault: 5xx",
        Fault::Blamed => "fault: 400, 413, 422",
        Fault::Nonsense => "fault: nonsense",
        Fault::Failed => "fault: items failed",
        Fault::Garbled => "fault: results garbled",
        Fault::Gone => "fault: 410",
    }
}
