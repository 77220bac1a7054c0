//! The asynchronous example, as a service that is dropped, kept waiting, cut off and refused.
#![cfg(all(feature = "verify", feature = "seal"))]

#[path = "../examples/async_backend.rs"]
#[allow(dead_code, unreachable_pub)]
mod backend;

use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use backend::{Backend, Http, MiniProgram};
use idaas_login::emulator::{Effect, Emulator, EmulatorServer, Fault, User};
use idaas_login::endpoints::{self, KEYS_PATH, Platform};
use idaas_login::{ClientBuilder, Edition, Phase, Request, SealKey, Sealer, Sent};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::{self, Handle};
use tokio::task::JoinSet;

const LOGIN: &str = endpoints::LOGIN_WECHAT_MINI_PROGRAM.path;
const BIND: &str = endpoints::BIND_USERNAME_PASSWORD.path;

/// One thread for the service and all its users: whatever blocks it blocks them all.
fn on_one_thread<T>(future: impl Future<Output = T>) -> T {
    runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn http() -> Http {
    Http::new(Duration::from_secs(30), 2 << 20)
}

fn tenant() -> (Emulator, EmulatorServer) {
    let tenant = Emulator::new();
    tenant.add_user(User::new("hanmeimei").password("correct horse"));
    let server = tenant.start().unwrap();
    (tenant, server)
}

/// Counts what is dropped before it is done.
struct Guard(Arc<AtomicUsize>, bool);

impl Guard {
    fn done(mut self) {
        self.1 = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.fetch_add(usize::from(!self.1), Ordering::SeqCst);
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The service at a free port: its address, and how many of its handlers' futures were dropped.
async fn serve(client: ClientBuilder, http: Http) -> (String, Arc<AtomicUsize>) {
    let sealer =
        Sealer::new(SealKey::new(1, b"a test's key, which is no secret.").unwrap(), Duration::from_secs(600));
    let backend = Backend::new(client, sealer, http, Handle::current()).unwrap();
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    let router = backend.router().layer(from_fn(move |request, next: Next| {
        let guard = Guard(count.clone(), false);
        async move {
            let answer = next.run(request).await;
            guard.done();
            answer
        }
    }));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, router).into_future());
    (address, dropped)
}

fn user(address: &str) -> MiniProgram {
    MiniProgram::new(http(), address, "a session of one's own")
}

/// A user whose account is to be bound.
async fn to_be_bound(tenant: &Emulator, address: &str) -> MiniProgram {
    let mut user = user(address);
    let (status, answer) = log_in(&mut user, tenant.wechat_login_code("openid-hanmeimei")).await.unwrap();
    assert_eq!((status, &answer["stage"]), (StatusCode::OK, &json!("pending_bind")));
    user
}

fn right() -> Value {
    json!({ "user_name": "hanmeimei", "password": "correct horse" })
}

/// How many requests to `path` reached the tenant.
fn received(tenant: &Emulator, path: &str) -> usize {
    tenant.ledger().iter().filter(|entry| entry.path == path).count()
}

fn binds(tenant: &Emulator) -> usize {
    let bound = |effect: &&Effect| matches!(effect, Effect::Bound { .. });
    tenant.ledger().iter().flat_map(|entry| &entry.effects).filter(bound).count()
}

async fn log_in(user: &mut MiniProgram, code: String) -> Result<(StatusCode, Value), Failure> {
    user.begin(json!({ "way": "wechat_mini_program", "code": code })).await
}

async fn then(user: &mut MiniProgram, path: &str, body: Value) -> (u16, String) {
    let (status, answer) = user.post(path, body).await.unwrap();
    (status.as_u16(), answer["then"].as_str().unwrap_or_default().to_owned())
}

/// A hundred users at once, each kept waiting by the tenant: they wait together, not in turn.
#[test]
fn nobody_waits_for_somebody_else() {
    const USERS: usize = 100;
    const DELAY: Duration = Duration::from_millis(500);
    let (tenant, server) = tenant();
    for _ in 0..USERS {
        tenant.fail_next(LOGIN, Fault::Late(DELAY));
    }
    let took = on_one_thread(async {
        let (address, _) = serve(server.client_builder(), http()).await;
        let (mut users, http) = (JoinSet::new(), http());
        let start = Instant::now();
        for number in 0..USERS {
            let code = tenant.wechat_login_code(format!("openid-{number}"));
            let mut user = MiniProgram::new(http.clone(), &address, "a session of one's own");
            users.spawn(async move { log_in(&mut user, code).await.unwrap() });
        }
        for (status, answer) in users.join_all().await {
            assert_eq!((status, &answer["stage"]), (StatusCode::OK, &json!("pending_bind")));
        }
        start.elapsed()
    });
    println!("{USERS} logins, each answered {DELAY:?} late, on one thread: {took:?}");
    assert!(took >= DELAY && took < 3 * DELAY, "{took:?}");
}

/// The key cache blocks, but not the runtime: while it waits for the tenant's keys, others log in.
#[test]
fn keys_that_come_late_hold_up_nobody_else() {
    const DELAY: Duration = Duration::from_secs(2);
    let (tenant, server) = tenant();
    tenant.bind(Platform::WeChatMiniProgram, "openid-hanmeimei", "hanmeimei");
    tenant.fail_next(KEYS_PATH, Fault::Late(DELAY));
    on_one_thread(async {
        let (address, _) = serve(server.client_builder(), http()).await;
        let mut waits = user(&address);
        log_in(&mut waits, tenant.wechat_login_code("openid-hanmeimei")).await.unwrap();
        let start = Instant::now();
        let me = tokio::spawn(async move { waits.post("/me", json!({})).await.unwrap() });
        until(|| received(&tenant, KEYS_PATH) == 1).await;
        for number in 0..10 {
            log_in(&mut user(&address), tenant.wechat_login_code(format!("openid-{number}"))).await.unwrap();
        }
        let others = start.elapsed();
        assert!(!me.is_finished(), "the others took {others:?}");
        let (status, user) = me.await.unwrap();
        println!("ten logins in {others:?}, while one waited {:?} for the keys", start.elapsed());
        assert_eq!((status, &user["user_name"]), (StatusCode::OK, &json!("hanmeimei")));
    });
}

#[test]
fn a_refused_connection_is_proof_that_nothing_was_sent() {
    let (tenant, server) = tenant();
    let client = server.client_builder();
    on_one_thread(async {
        let (address, _) = serve(client, http()).await;
        let mut user = to_be_bound(&tenant, &address).await;
        // The port is closed, and with it what was kept in the pool.
        let stopped = tokio::task::spawn_blocking(move || drop(server));
        stopped.await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(then(&mut user, "/password", right()).await, (503, "try_later".to_owned()));
        let (status, _) = log_in(&mut user, tenant.wechat_login_code("openid-hanmeimei")).await.unwrap();
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    });
    assert_eq!(received(&tenant, BIND), 0);
}

/// Whether the tenant carried it out or not: the service cannot know, says so, and sends nothing again.
#[test]
fn a_lost_answer_is_unresolved_and_a_new_login_resolves_it() {
    // A success, if one read it all.
    let body = format!(r#"{{"status":"SUCCESS","session_token":"s"}}{}"#, " ".repeat(70_000));
    let too_large = Fault::RespondAfter { http_status: StatusCode::OK, body };
    let faults: [(Fault, &str); 4] = [
        (Fault::LoseResponse, "authenticated"),
        (Fault::LoseRequest, "pending_bind"),
        (Fault::Late(Duration::from_secs(5)), "authenticated"),
        (too_large, "authenticated"),
    ];
    for (fault, resolved) in faults {
        let (tenant, server) = tenant();
        let name = format!("{fault:?}").chars().take(30).collect::<String>();
        on_one_thread(async {
            let bounded = Http::new(Duration::from_secs(1), 64 << 10);
            let (address, _) = serve(server.client_builder(), bounded).await;
            let mut user = to_be_bound(&tenant, &address).await;
            tenant.fail_next(BIND, fault);
            assert_eq!(then(&mut user, "/password", right()).await, (502, "settle".to_owned()), "{name}");
            assert_eq!(received(&tenant, BIND), 1, "{name}");
            let (_, answer) = log_in(&mut user, tenant.wechat_login_code("openid-hanmeimei")).await.unwrap();
            assert_eq!(answer["stage"], resolved, "{name}");
        });
    }
}

/// A server that answers everything with `response`, or nothing and closes if that is empty: its address, and the first bytes
/// of each connection.
async fn canned(answer: &'static str) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let shared = seen.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut bytes = vec![0; 4096];
            let size = loop {
                stream.readable().await.unwrap();
                match stream.try_read(&mut bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    read => break read.unwrap(),
                }
            };
            shared.lock().unwrap().push(bytes[..size].to_vec());
            stream.try_write(answer.as_bytes()).unwrap();
        }
    });
    (address, seen)
}

fn request(scheme: &str, address: &str) -> Request {
    http::Request::post(format!("{scheme}://{address}/a")).body(b"{}".to_vec()).unwrap()
}

#[test]
fn a_redirect_is_an_answer() {
    on_one_thread(async {
        let (address, seen) =
            canned("HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        let answer = http().send(request("http", &address)).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND);
        assert_eq!(seen.lock().unwrap().len(), 1);
    });
}

/// "Not sent" is said for a failure before TLS is set up, and "maybe sent" for one after the connection stood.
#[test]
fn what_fails_before_the_connection_stands_is_not_sent() {
    on_one_thread(async {
        let (address, seen) = canned("").await;
        let failed = http().send(request("https", &address)).await.unwrap_err();
        assert_eq!((failed.sent(), failed.phase()), (Sent::No, Phase::Connect), "{failed}");
        // A TLS handshake was begun, nothing more.
        assert!(seen.lock().unwrap().iter().all(|bytes| bytes[0] == 0x16));

        let failed = http().send(request("http", &address)).await.unwrap_err();
        assert_eq!(failed.sent(), Sent::Maybe, "{failed}");
        assert_eq!(seen.lock().unwrap().len(), 2, "nothing is sent twice");
    });
}

/// The user goes away while the tenant is at it: the handler's future is dropped with the stage in it. The handle is enough
/// to go on, whatever the tenant did.
#[test]
fn a_dropped_handler_costs_nothing_but_time() {
    const LATE: Fault = Fault::Late(Duration::from_secs(1));
    let (tenant, server) = tenant();
    on_one_thread(async {
        let (address, dropped) = serve(server.client_builder(), http()).await;
        let mut user = to_be_bound(&tenant, &address).await;
        let soon = Duration::from_millis(200);

        // While a side call is under way: the same handle goes on.
        user.post("/phone", json!({ "mobile": "15201657312" })).await.unwrap();
        tenant.fail_next(endpoints::CAPTCHA.path, LATE);
        tokio::time::timeout(soon, user.post("/captcha", json!({}))).await.unwrap_err();
        until(|| dropped.load(Ordering::SeqCst) == 1).await;
        let (status, again) = user.post("/captcha", json!({})).await.unwrap();
        assert!(status == StatusCode::OK && again["captcha"].is_string());

        // While a step is carried out: the repeated request is refused, because the state token is used up.
        let mut user = to_be_bound(&tenant, &address).await;
        tenant.fail_next(BIND, LATE);
        tokio::time::timeout(soon, user.post("/password", right())).await.unwrap_err();
        until(|| dropped.load(Ordering::SeqCst) == 2).await;
        assert_eq!(then(&mut user, "/password", right()).await, (410, "start_over".to_owned()));
        let (_, answer) = log_in(&mut user, tenant.wechat_login_code("openid-hanmeimei")).await.unwrap();
        assert_eq!(answer["stage"], "authenticated");
        assert_eq!(binds(&tenant), 1);

        // While a step is not carried out: the repeated request is the first.
        tenant.add_user(User::new("sunli").password("correct horse"));
        let mut user = self::user(&address);
        log_in(&mut user, tenant.wechat_login_code("openid-sunli")).await.unwrap();
        let body = json!({ "user_name": "sunli", "password": "battery staple" });
        tenant.fail_next(BIND, LATE);
        tokio::time::timeout(soon, user.post("/password", body)).await.unwrap_err();
        until(|| dropped.load(Ordering::SeqCst) == 3).await;
        let body = json!({ "user_name": "sunli", "password": "correct horse" });
        assert_eq!(then(&mut user, "/password", body).await, (200, String::new()));
        assert_eq!(binds(&tenant), 2);
    });
}

/// Who comes with a platform's identity or an account of the tenant, and what the account owes.
#[derive(Clone, Copy, Debug)]
enum Flow {
    BindThenPassword,
    SecondFactorThenPassword,
    KeptPassword,
    LoginByCode,
    /// With a user name that is taken at first.
    Registration,
    Reset,
    SocialApp,
    Alipay,
}

const FLOWS: [Flow; 8] = [
    Flow::BindThenPassword,
    Flow::SecondFactorThenPassword,
    Flow::KeptPassword,
    Flow::LoginByCode,
    Flow::Registration,
    Flow::Reset,
    Flow::SocialApp,
    Flow::Alipay,
];

const OLD: &str = "long expired";
const NEW: &str = "quite fresh";

/// One user of a flow, from the first request to the session; gives the user name.
async fn walk(flow: Flow, number: usize, tenant: &Emulator, mut user: MiniProgram) -> String {
    let name = format!("user{number}");
    let mobile = format!("139{number:08}");
    let account = User::new(&name).password(OLD).mobile(&mobile);
    let by_password = |password: &str| json!({ "way": "password", "user_name": &name, "password": password });
    match flow {
        Flow::Registration => {}
        Flow::BindThenPassword => tenant.add_user(account.password_expired()),
        Flow::SecondFactorThenPassword => tenant.add_user(account.password_expired().second_factor()),
        Flow::KeptPassword => tenant.add_user(account.password_expiring()),
        _ => tenant.add_user(account),
    }
    let code = |platform| tenant.login_code(platform, format!("identity-{number}"));
    let way = match flow {
        Flow::BindThenPassword => {
            json!({ "way": "wechat_mini_program", "code": code(Platform::WeChatMiniProgram) })
        }
        Flow::Alipay => json!({ "way": "alipay_mini_program", "code": code(Platform::AlipayMiniProgram) }),
        Flow::SocialApp => {
            json!({ "way": "weibo", "access_token": code(Platform::Weibo), "uid": format!("identity-{number}") })
        }
        Flow::SecondFactorThenPassword | Flow::KeptPassword => by_password(OLD),
        Flow::LoginByCode => json!({ "way": "phone", "mobile": &mobile }),
        Flow::Registration => json!({ "way": "register", "user_name": "taken", "password": NEW }),
        Flow::Reset => json!({ "way": "reset_password" }),
    };
    let (_, answer) = user.begin(way).await.unwrap();
    let mut stage = answer["stage"].as_str().unwrap_or_default().to_owned();
    loop {
        let (path, body) = match stage.as_str() {
            "pending_bind" if matches!(flow, Flow::Alipay) => {
                ("/mobile", json!({ "code": tenant.phone_code(Platform::AlipayMiniProgram, &mobile) }))
            }
            "pending_bind" => ("/password", json!({ "user_name": &name, "password": OLD })),
            "mfa_required" => ("/phone", json!({})),
            "registration" | "password_reset" => ("/phone", json!({ "mobile": &mobile })),
            "password_expiring" => ("/keep-password", json!({})),
            "password_expired" => ("/change-password", json!({ "old_password": OLD, "new_password": NEW })),
            "verify_code" if matches!(flow, Flow::Registration) => {
                let code = user.code(tenant, &mobile).await.unwrap();
                let submitted = json!({ "code": &code });
                assert_eq!(then(&mut user, "/submit", submitted).await, (422, "ask_again".to_owned()));
                let other = json!({ "user_name": &name, "password": NEW });
                let (_, answer) = user.post("/attributes", other).await.unwrap();
                assert_eq!(answer["stage"], "verify_code", "{answer}");
                let (_, answer) = user.post("/submit", json!({ "code": code })).await.unwrap();
                assert_eq!(answer["stage"], "authenticated", "{answer}");
                // A registration gives no identity token.
                assert_eq!(then(&mut user, "/me", json!({})).await, (401, "renew_id_token".to_owned()));
                ("/renew", json!({}))
            }
            "verify_code" | "verify_code_and_password" => {
                let code = user.code(tenant, &mobile).await.unwrap();
                ("/submit", json!({ "code": code, "new_password": NEW }))
            }
            "unauthenticated" => {
                let (_, answer) = user.begin(by_password(NEW)).await.unwrap();
                assert_eq!(answer["stage"], "authenticated", "{answer}");
                ("/renew", json!({}))
            }
            "authenticated" => {
                let (_, me) = user.post("/me", json!({})).await.unwrap();
                return me["user_name"].as_str().unwrap_or_default().to_owned();
            }
            other => panic!("{flow:?} is at {other}"),
        };
        let (status, answer) = user.post(path, body).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{flow:?} at {stage}: {answer}");
        answer["stage"].as_str().unwrap_or_default().clone_into(&mut stage);
    }
}

/// Every flow several times at once, on one thread: each ends as the tenant's ledger says, with nobody else's session.
#[test]
fn every_flow_at_once() {
    const EACH: usize = 8;
    let (tenant, server) = tenant();
    tenant.add_user(User::new("taken"));
    on_one_thread(async {
        let (address, dropped) = serve(server.client_builder(), http()).await;
        let (mut users, http) = (JoinSet::new(), http());
        for number in 0..FLOWS.len() * EACH {
            let user = MiniProgram::new(http.clone(), &address, &format!("session of user {number}"));
            let tenant = tenant.clone();
            users.spawn(async move {
                let flow = FLOWS[number % FLOWS.len()];
                let reached = walk(flow, number, &tenant, user).await;
                assert_eq!(reached, format!("user{number}"), "{flow:?}");
            });
        }
        users.join_all().await;
        assert_eq!(dropped.load(Ordering::SeqCst), 0);
    });
    for (index, flow) in FLOWS.into_iter().enumerate() {
        for number in (index..FLOWS.len() * EACH).step_by(FLOWS.len()) {
            let changes =
                matches!(flow, Flow::BindThenPassword | Flow::SecondFactorThenPassword | Flow::Reset);
            let registers = matches!(flow, Flow::Registration);
            let (name, effects) = (format!("user{number}"), effects(&tenant));
            let count = |wanted: &Effect| effects.iter().filter(|effect| *effect == wanted).count();
            let change = Effect::PasswordChanged { user_name: name.clone() };
            assert_eq!(count(&change), usize::from(changes), "{flow:?}");
            assert_eq!(
                count(&Effect::Registered { user_name: name.clone() }),
                usize::from(registers),
                "{flow:?}"
            );
            let password = if changes || registers { NEW } else { OLD };
            assert_eq!(tenant.password(&name).as_deref(), Some(password), "{flow:?}");
        }
    }
}

fn effects(tenant: &Emulator) -> Vec<Effect> {
    tenant.ledger().into_iter().flat_map(|entry| entry.effects).collect()
}

/// A handler that is dropped, or whose response is lost, while a password is changed or reset: the new one is in force, and a new
/// login says so.
#[test]
fn a_password_that_may_have_been_changed_is_tried() {
    const LATE: Fault = Fault::Late(Duration::from_secs(1));
    let change = json!({ "old_password": OLD, "new_password": NEW });
    let (tenant, server) = tenant();
    on_one_thread(async {
        let (address, dropped) = serve(server.client_builder(), http()).await;
        let log_in = |password: &str| json!({ "way": "identifier", "identifier": "15201657312", "password": password });
        let mut user = user(&address);
        for (round, fault) in [LATE, Fault::LoseResponse].into_iter().enumerate() {
            let late = matches!(fault, Fault::Late(_));
            tenant.add_user(User::new("wangwei").password(OLD).mobile("15201657312").password_expired());
            let (_, answer) = user.begin(log_in(OLD)).await.unwrap();
            assert_eq!(answer["stage"], "password_expired", "{answer}");
            assert_eq!(answer["policy"], json!({ "min_length": 8, "max_length": 18 }));
            tenant.fail_next(endpoints::CHANGE_EXPIRED_PASSWORD.path, fault.clone());
            if late {
                let soon = Duration::from_millis(200);
                tokio::time::timeout(soon, user.post("/change-password", change.clone())).await.unwrap_err();
                until(|| dropped.load(Ordering::SeqCst) == 1).await;
                // The state token is used up.
                let again = then(&mut user, "/change-password", change.clone()).await;
                assert_eq!(again, (410, "start_over".to_owned()));
            } else {
                let lost = then(&mut user, "/change-password", change.clone()).await;
                assert_eq!(lost, (502, "settle".to_owned()));
            }
            let (_, answer) = user.begin(log_in(NEW)).await.unwrap();
            assert_eq!(answer["stage"], "authenticated", "{answer}");

            user.begin(json!({ "way": "reset_password" })).await.unwrap();
            user.post("/phone", json!({ "mobile": "15201657312" })).await.unwrap();
            let code = user.code(&tenant, "15201657312").await.unwrap();
            let newer = format!("{NEW} {round}");
            let reset = json!({ "code": code, "new_password": &newer });
            tenant.fail_next(endpoints::RESET_PHONE.path, Fault::LoseResponse);
            assert_eq!(then(&mut user, "/submit", reset.clone()).await, (502, "settle".to_owned()));
            // The code is used up, and the same handle says so.
            assert_eq!(then(&mut user, "/submit", reset).await, (422, "ask_again".to_owned()));
            let (_, answer) = user.begin(log_in(&newer)).await.unwrap();
            assert_eq!(answer["stage"], "authenticated", "{answer}");
        }
    });
    let changed = |effect: &&Effect| matches!(effect, Effect::PasswordChanged { .. });
    assert_eq!(effects(&tenant).iter().filter(changed).count(), 4);
}

/// EIAM has a way by a code in place of the old password, to the number that the account has.
#[test]
fn a_password_is_changed_by_a_code_where_the_edition_has_it() {
    let (tenant, server) = tenant();
    on_one_thread(async {
        for (edition, expected) in [(Edition::Eiam, "authenticated"), (Edition::Ciam, "tell_operator")] {
            let name = format!("{edition:?}");
            tenant.configure(|settings| settings.edition = edition);
            tenant.add_user(User::new("wangwei").password(OLD).mobile("15201657312").password_expired());
            let (address, _) = serve(server.client_builder(), http()).await;
            let mut user = user(&address);
            let way = json!({ "way": "password", "user_name": "wangwei", "password": OLD });
            user.begin(way).await.unwrap();
            let given =
                if expected == "authenticated" { json!({}) } else { json!({ "mobile": "15201657312" }) };
            let (_, answer) = user.post("/phone", given).await.unwrap();
            assert_eq!(answer["stage"], "verify_code_and_password", "{name}: {answer}");
            assert_eq!(answer["policy"], json!({ "min_length": 8, "max_length": 18 }), "{name}");
            let code = user.code(&tenant, "15201657312").await.unwrap_or_default();
            let (_, answer) =
                user.post("/submit", json!({ "code": code, "new_password": NEW })).await.unwrap();
            let reached = answer["stage"].as_str().or(answer["then"].as_str());
            assert_eq!(reached, Some(expected), "{name}: {answer}");
        }
    });
}

/// A request that does not fit the stage is refused before anything is sent, and a code by what it was sent for.
#[test]
fn what_belongs_to_another_flow_is_refused() {
    let (tenant, server) = tenant();
    tenant.add_user(User::new("wangwei").password(OLD).mobile("15201657312").password_expired());
    on_one_thread(async {
        let (address, _) = serve(server.client_builder(), http()).await;
        let mut codes = Vec::new();
        for way in [
            json!({ "way": "phone", "mobile": "15201657312" }),
            json!({ "way": "reset_password" }),
            json!({ "way": "wechat_mini_program", "code": tenant.wechat_login_code("openid-wangwei") }),
        ] {
            let mut user = user(&address);
            let (_, answer) = user.begin(way).await.unwrap();
            if answer["stage"] != "verify_code" {
                user.post("/phone", json!({ "mobile": "15201657312" })).await.unwrap();
            }
            let code = user.code(&tenant, "15201657312").await.unwrap();
            codes.push((user, code));
        }
        let [(login, of_login), (reset, of_reset), (bind, of_bind)] = &mut codes[..] else { panic!() };
        let submit = |code: &str| json!({ "code": code, "new_password": NEW });
        for (user, code) in [(&mut *login, &*of_reset), (&mut *reset, &*of_bind), (&mut *bind, &*of_login)] {
            assert_eq!(then(user, "/submit", submit(code)).await, (422, "ask_again".to_owned()));
        }
        let before = tenant.ledger().len();
        for path in ["/keep-password", "/me", "/renew"] {
            assert_eq!(then(reset, path, json!({})).await, (400, "start_over".to_owned()), "{path}");
        }
        for (user, path) in
            [(&mut *login, "/attributes"), (&mut *bind, "/attributes"), (&mut *reset, "/attributes")]
        {
            assert_eq!(then(user, path, json!({ "user_name": "a" })).await, (400, "start_over".to_owned()));
        }
        assert_eq!(tenant.ledger().len(), before, "something was sent");
        for (user, code, stage) in [
            (login, of_login, "authenticated"),
            (bind, of_bind, "authenticated"),
            (reset, of_reset, "unauthenticated"),
        ] {
            let (_, answer) = user.post("/submit", submit(code)).await.unwrap();
            assert_eq!(answer["stage"], stage, "{answer}");
        }
    });
}

/// Waits for what happens on another task.
async fn until(happened: impl Fn() -> bool) {
    let wait = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.unwrap();
}
