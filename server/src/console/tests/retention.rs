//! The page *Retention*: whose documents it shows, and to whom what is not theirs is hidden.

use super::*;

impl Bench {
    async fn fill_retention(&self, cookie: &str, form: &str) -> (StatusCode, String) {
        let request = Request::post("/retention")
            .header(header::HOST, HOST)
            .header(header::ORIGIN, ORIGIN)
            .header(header::COOKIE, cookie)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        text(self.request(request).await).await
    }

    async fn retention(&self, cookie: &str) -> (StatusCode, String) {
        let request = Request::get("/retention")
            .header(header::HOST, HOST)
            .header(header::COOKIE, cookie)
            .body(Body::empty())
            .unwrap();
        text(self.request(request).await).await
    }
}

#[tokio::test]
async fn a_supervisor_holds_and_purges_what_is_their_agencys_and_hears_of_nothing_else() {
    let bench = Bench::start().await;
    let ours = bench.report("26-1", "FIGHT", "").await;
    let theirs = CallReport {
        agency: "so".into(),
        ..a_call("26-2", "FIGHT", "")
    };
    let theirs = bench
        .center()
        .report(theirs, "Dispatch")
        .await
        .unwrap()
        .call;
    let (_, token) = signed_in(bench.center(), "Lt. Ortega", Post::Supervisor).await;
    let supervisor = cookie(&token);
    let form = |call: CallId, what: &str| format!("document={call}/call&why=case+9&what={what}");

    let (status, _) = bench.retention(&bench.cookie).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "an analyst's it is not");
    let (status, _) = bench
        .fill_retention(&bench.cookie, &form(ours, "hold"))
        .await;
    assert_eq!(status, StatusCode::FORBIDDEN);

    let (status, _) = bench.fill_retention(&supervisor, &form(ours, "hold")).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (status, page) = bench.retention(&supervisor).await;
    assert_eq!(status, StatusCode::OK);
    assert!(
        page.contains("<td>Lt. Ortega</td><td>case 9</td>"),
        "{page}"
    );

    // What another agency has is answered as what never was, and counts for nothing.
    for what in ["hold", "release", "keep", "purge"] {
        let hidden = bench.fill_retention(&supervisor, &form(theirs, what)).await;
        let never = CallId(0x7777_7777_7777);
        let told = bench.fill_retention(&supervisor, &form(never, what)).await;
        assert_eq!(hidden.0, StatusCode::NOT_FOUND, "{what}");
        let said =
            |(_, page): &(StatusCode, String)| page.contains("Your agency has no such document.");
        assert!(said(&hidden) && said(&told), "{what}");
        assert!(!hidden.1.contains(&theirs.to_string()), "{what}");
    }

    let (status, page) = bench
        .fill_retention(&supervisor, &form(ours, "purge"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("on hold"), "{page}");
    for (wrong, wanted) in [
        ("document=x&why=case+9&what=hold".to_owned(), "Document:"),
        (format!("document={ours}/call&why=+&what=hold"), "Reason:"),
        (form(ours, "burn"), "could not read"),
    ] {
        let (status, page) = bench.fill_retention(&supervisor, &wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(page.contains(wanted), "{wrong}: {page}");
    }

    let (status, _) = bench
        .fill_retention(&supervisor, &form(ours, "release"))
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let execute = async |sql: &'static str| {
        let work = move |ledger: &mut Ledger<'_>| {
            Ok::<_, LogError>(ledger.sql().execute(sql, []).map(drop)?)
        };
        bench.center().log.write(work).await.unwrap();
    };
    execute("UPDATE calls SET open = 0").await;
    let (status, page) = bench
        .fill_retention(&supervisor, &form(ours, "purge"))
        .await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(page.contains("Units still have the packet"), "{page}");
    execute("UPDATE grants SET to_seq = from_seq, ended_ms = 0").await;
    let (status, _) = bench
        .fill_retention(&supervisor, &form(ours, "purge"))
        .await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    let (_, page) = bench.retention(&supervisor).await;
    assert!(
        page.contains("<td>Lt. Ortega</td><td>case 9</td>"),
        "{page}"
    );
}
