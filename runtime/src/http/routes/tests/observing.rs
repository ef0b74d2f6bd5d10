//! Supervisors and scrapers: health in each state, and who may read the metrics.

use super::*;
use crate::http::Peer;

async fn text(app: &App, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
    let (parts, body) = app.handle(request, None).await.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (
        parts.status,
        parts.headers,
        String::from_utf8(bytes.to_vec()).unwrap(),
    )
}

fn metrics(bearer: Option<&str>) -> Request<Body> {
    let mut asked = request(&Method::GET, "/metrics");
    if let Some(token) = bearer {
        asked = asked.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    asked.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn metrics_are_for_admins_the_scraper_and_this_machine() {
    let app = app().await;
    let status = |(status, _, _): (StatusCode, HeaderMap, String)| status.as_u16();
    assert_eq!(status(text(&app, metrics(None)).await), 401);
    assert_eq!(status(text(&app, metrics(Some("another token"))).await), 401);
    for role in [Role::Admin, Role::Operator, Role::App] {
        let token = logged_in(&app, role).await;
        let expected = if role == Role::Admin { 200 } else { 403 };
        assert_eq!(
            status(text(&app, metrics(Some(&token))).await),
            expected,
            "{role:?}"
        );
    }
    let mut here = metrics(None);
    here.headers_mut()
        .insert(header::HOST, "localhost:8080".parse().unwrap());
    here.extensions_mut().insert(Peer("127.0.0.1:9".parse().unwrap()));
    assert_eq!(status(text(&app, here).await), 200);
    let (status, headers, text) = text(&app, metrics(Some("the token of the scraper"))).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(!text.contains("# EOF"), "{text}");
    let mut open = metrics(Some("the token of the scraper"));
    let wanted = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2";
    open.headers_mut().insert(header::ACCEPT, wanted.parse().unwrap());
    let (parts, body) = app.handle(open, None).await.into_parts();
    assert!(
        parts.headers[header::CONTENT_TYPE]
            .to_str()
            .unwrap()
            .starts_with("application/openmetrics-text")
    );
    assert!(body.collect().await.unwrap().to_bytes().ends_with(b"# EOF\n"));
    for line in [
        "selaras_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"401\"} 2",
        "selaras_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"403\"} 2",
        "selaras_http_requests_in_flight 1",
        "selaras_store_up 1",
        "selaras_queue_items{state=\"pending\"} 0",
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
}

#[tokio::test]
async fn what_strangers_make_up_makes_no_series() {
    let app = app().await;
    for n in 0..20 {
        let path = format!("/no/such/path/{n}");
        let method = Method::from_bytes(format!("FETCH{n}").as_bytes()).unwrap();
        text(&app, request(&method, &path).body(Body::empty()).unwrap()).await;
    }
    let (_, _, text) = text(&app, metrics(Some("the token of the scraper"))).await;
    let line = "selaras_http_requests_total{method=\"other\",route=\"unmatched\",status=\"404\"} 20";
    assert!(text.contains(line), "{text}");
    assert!(!text.contains("FETCH") && !text.contains("no/such"), "{text}");
}

#[tokio::test]
async fn health_is_open_cheap_and_answers_head_too() {
    let app = app().await;
    for path in ["/healthz", "/readyz"] {
        let (status, _, json) = send(&app, request(&Method::GET, path).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (status, &json["success"]),
            (StatusCode::OK, &true.into()),
            "{path}"
        );
        let (status, _, body) = text(&app, request(&Method::HEAD, path).body(Body::empty()).unwrap()).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, ""), "{path}");
    }
}

#[tokio::test]
async fn an_outlet_that_is_being_stopped_is_alive_and_not_ready() {
    let app = app().await;
    app.shared.engine.stops();
    let asked = |path| {
        request(&Method::GET, path)
            .header("X-Request-ID", "r-9")
            .body(Body::empty())
            .unwrap()
    };
    assert_eq!(send(&app, asked("/healthz")).await.0, StatusCode::OK);
    let (status, _, json) = send(&app, asked("/readyz")).await;
    assert_eq!(
        (status, &json["error"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"not_ready".into())
    );
    assert_eq!(
        (&json["details"][0]["field"], &json["request_id"]),
        (&"process".into(), &"r-9".into())
    );
}
