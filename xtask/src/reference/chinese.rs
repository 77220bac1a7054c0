//! The words of the Chinese documents. A text of the library that has no translation here is shown in English.

use idaas_login::ErrorClass;
use idaas_login::codes::{self, Evidence};
use idaas_login::emulator::reserved::{self, ReservedKind};

use super::errors::{Advice, Language};

pub const CHINESE: Language = Language {
    title: "错误码",
    introduction: INTRODUCTION,
    text: chinese,
    advice,
    section: |class, held, Advice { name, tell, act }| {
        format!(
            "\n## {class:?}：{name}\n\n日志中打印为 “{class}”。\n\n- 您持有：{held}\n- 告诉用户：{tell}\n- 怎么办：{act}\n\n"
        )
    },
    columns: ["错误码", "发生了什么", "版本", "依据"],
    fix_column: "要设置或修复的内容",
    list_separator: "、",
    full_stop: "。",
    colon: "：",
    evidence: [
        (Evidence::Documented, "文档记载"),
        (Evidence::SeenInProduction, "生产所见"),
        (Evidence::Inferred, "推断"),
    ],
    held: [
        ("Retry", "阶段，`Recovery::Retry`"),
        ("Unresolved", "结果未知的步骤，`Recovery::Unresolved`"),
        ("StartOver", "本次登录已没有任何东西，`Recovery::StartOver`"),
    ],
    with_http_5xx: "；HTTP 5xx 时为",
    side_calls: ["辅助调用之后，阶段也已结束。", "辅助调用之后，阶段仍在您手里。"],
    http_status: |http_status| format!("HTTP {http_status}。"),
    if_state_token_named: "如果消息中提到状态令牌，类别为 `DeadToken`（D13、D26）。",
    reserved_columns: ["保留", "值", "结果"],
    reserved_kinds: [(ReservedKind::Mobile, "手机号"), (ReservedKind::VerifyCode, "验证码")],
    steps_columns: ["阶段", "如何到达", "步骤"],
};

const INTRODUCTION: &str = "
接口的所有已知错误码，来自表 `idaas_login::codes`。用日志中的错误码在本页搜索即可。错误码对程序意味着什么，由它的类别决定：`refusal.code().class()`；其他失败见[失败处理](failure.md)。术语见[术语表](glossary.md)。

- 错误码有三族：`SDK.*` 属于 EIAM，`IDAAS.SDK.*` 属于 CIAM 以及 EIAM 的小程序文档，没有这两种前缀的属于 OneAccess。同一编号在不同族中含义不同，因此总是比较完整的错误码。
- *文档记载*：有公开文档印出该错误码。*生产所见*：有在生产中使用的客户端依赖它。*推断*：错误码、编号或前缀由其他文档推断而来。CIAM 与 OneAccess 视为同一份列表，区别只在有无前缀：见[决定](../decisions.md)中的 D25。
- 此处没有的错误码，类别为 `ErrorClass::Unknown`。
- 除非表中另有说明，错误码的 HTTP 状态码为 400。除特别注明外，您持有什么与它无关。
";

/// A text of the library, in Chinese.
const TEXTS: &[(&str, &str)] = &[
    ("A call to another service, such as WeChat's, failed.", "调用其他服务（例如微信）失败。"),
    ("A parameter has the wrong format; the message names it.", "参数格式错误，消息中指出是哪个参数。"),
    ("A parameter has the wrong type; the message names it.", "参数类型错误，消息中指出是哪个参数。"),
    ("A parameter is wrong; the message names it.", "参数错误，消息中指出是哪个参数。"),
    ("A required parameter is missing; the message names it.", "缺少必填参数，消息中指出是哪个参数。"),
    ("A value has failed or has expired; the message names it.", "某个值无效或已过期，消息中指出是哪个值。"),
    ("An account with this e-mail address exists already.", "该邮箱已有账号。"),
    ("An account with this mobile number exists already.", "该手机号已有账号。"),
    ("The SSO ticket is missing.", "缺少 SSO 票据。"),
    (
        "The application cannot be used; its exact cause could not be read in the list.",
        "应用不可用；列表中的确切原因无法辨认。",
    ),
    ("The application does not exist.", "应用不存在。"),
    ("The application is not registered.", "应用未注册。"),
    ("The application's id is missing.", "缺少应用 id。"),
    ("The application's private key is not there.", "应用的私钥不存在。"),
    ("The authentication configuration is unknown.", "认证配置未知。"),
    ("The captcha was solved wrongly.", "图形验证码校验失败。"),
    ("The captcha's token is missing.", "缺少图形验证码的 token。"),
    ("The client id is missing.", "缺少客户端 id。"),
    ("The coordinates of the captcha's solution are missing.", "缺少图形验证码的坐标信息。"),
    ("The device information is incomplete.", "设备信息不完整。"),
    ("The identity token is invalid or expired.", "身份令牌无效或已过期。"),
    ("The pass of the solved captcha has expired.", "图形验证码的校验通过令牌已过期。"),
    ("The pass of the solved captcha is invalid.", "图形验证码的校验通过令牌无效。"),
    ("The session token is invalid or expired.", "会话令牌无效或已过期。"),
    ("The signature cannot be decrypted.", "签名无法解密。"),
    ("The signature is invalid or expired.", "签名无效或已过期。"),
    ("The state token is invalid, expired or used.", "状态令牌无效、已过期或已使用。"),
    ("The state token is invalid.", "状态令牌无效。"),
    ("The system is busy.", "系统繁忙。"),
    ("The tenant's configuration of area codes cannot be read.", "无法读取租户的国际区号配置。"),
    ("The tenant's global configuration cannot be read.", "无法读取租户的全局配置。"),
    ("The tenant's password policy cannot be read.", "无法读取租户的密码策略。"),
    (
        "The user is locked after too many attempts; the message has the time left.",
        "尝试次数过多，用户已锁定；消息中有剩余时间。",
    ),
    ("The user is not bound to this application.", "用户未绑定该应用。"),
    (
        "The user name or password is wrong; the message has the number of attempts left.",
        "用户名或密码错误；消息中有剩余次数。",
    ),
    ("The verification code by SMS is wrong.", "短信验证码错误。"),
    ("The verification code could not be sent.", "验证码发送失败。"),
    ("The verification code is missing.", "缺少验证码。"),
    ("The verification code is wrong.", "验证码错误。"),
    ("There is no application with this client id.", "没有使用该客户端 id 的应用。"),
    ("There is no such user.", "用户不存在。"),
    // What to set or fix.
    (
        "Assign the user to the application in the tenant's console.",
        "在租户的管理控制台中把用户授权给该应用。",
    ),
    (
        "Compare the request with the reference: a field name of this tenant may differ.",
        "把请求与参考手册对照：该租户的字段名可能不同。",
    ),
    (
        "Compare the request with the reference: a field name or a header of this tenant may differ.",
        "把请求与参考手册对照：该租户的字段名或请求头可能不同。",
    ),
    (
        "Compare the request with the reference: a field of this tenant may differ.",
        "把请求与参考手册对照：该租户的字段可能不同。",
    ),
    (
        "Enable this login method for the application in the tenant's console.",
        "在租户的管理控制台中为应用启用该登录方式。",
    ),
    (
        "Give `Device::new` the system version, the fingerprint and the agent; a gateway must not drop the headers.",
        "向 `Device::new` 提供系统版本、设备指纹和 User-Agent；网关不得丢弃这些请求头。",
    ),
    ("The application in the tenant's console.", "租户管理控制台中的应用。"),
    ("The application's keys at the tenant.", "应用在租户处的密钥。"),
    ("The area codes in the tenant's console.", "租户管理控制台中的国际区号。"),
    (
        "The client id given to `Client::builder`, and the base address.",
        "传给 `Client::builder` 的客户端 id，以及基地址。",
    ),
    (
        "The client id given to `Client::builder`; a gateway must not drop the header `X-client-id`.",
        "传给 `Client::builder` 的客户端 id；网关不得丢弃请求头 `X-client-id`。",
    ),
    ("The tenant's configuration: ask whoever runs it.", "租户的配置：询问租户的运维。"),
    (
        "This library asks for no SSO ticket: look who sent the request.",
        "本库不请求 SSO 票据：看看是谁发送了请求。",
    ),
    // The reserved values.
    (
        "Codes can be sent to it. Each code that is submitted with it is refused as wrong.",
        "可以向它发送验证码。与它一起提交的验证码一律判为错误。",
    ),
    (
        "Codes can be sent to it. Each code that is submitted with it is refused because of too many attempts.",
        "可以向它发送验证码。与它一起提交的验证码一律因次数过多被拒绝。",
    ),
    (
        "No code can be sent to it. A code that a test issues for it works.",
        "无法向它发送验证码。测试为它签发的验证码有效。",
    ),
    (
        "A code is sent to it, and the response is lost. A code that is submitted with it is checked, and the response is lost.",
        "向它发送验证码后响应丢失。与它一起提交的验证码会被检查，但响应丢失。",
    ),
    ("It is refused as wrong.", "判为错误。"),
    ("It is refused because of too many attempts.", "因次数过多被拒绝。"),
    (
        "It is accepted, the step is carried out, and the response is lost.",
        "被接受，步骤已执行，但响应丢失。",
    ),
];

fn chinese(text: &str) -> &str {
    TEXTS.iter().find(|(english, _)| *english == text).map_or(text, |(_, chinese)| chinese)
}

/// The texts of the library that have no translation here.
pub fn untranslated() -> Vec<&'static str> {
    let codes = codes::ALL.iter().flat_map(|known| [Some(known.meaning), known.fix]).flatten();
    let all = codes.chain(reserved::ALL.iter().map(|value| value.meaning));
    all.filter(|text| !TEXTS.iter().any(|(english, _)| english == text)).collect()
}

fn advice(class: ErrorClass) -> Advice {
    let (name, tell, act) = match class {
        ErrorClass::WrongInput => (
            "输入错误",
            "哪里不对，并请用户重新输入。`message()` 使用用户的语言。密码错误时展示 `attempts_left()`：每次尝试按账号统一计数。",
            "用新的输入重试该步骤。",
        ),
        ErrorClass::NewCaptcha => (
            "需要新的图形验证码",
            "展示新的图形验证码。",
            "再次调用 `captcha` 和 `solve`。图形验证码只能尝试一次。",
        ),
        ErrorClass::DeadToken => (
            "令牌已失效",
            "“操作超时，请重新登录。”",
            "用平台的新 code 重新登录。如果之前有结果未知的步骤，它很可能已执行。",
        ),
        ErrorClass::RenewIdToken => (
            "身份令牌已失效",
            "不用说什么：会话仍然有效。",
            "调用 `renew_id_token`，用新的身份令牌重试该调用。这不是“请重新登录”。",
        ),
        ErrorClass::StaleSignature => (
            "签名已过期",
            "不用说什么。",
            "调用 `prepare_signature`，它会重新获取服务器的时间和公钥，然后重试该步骤。如果一直如此，检查时钟。",
        ),
        ErrorClass::Locked => (
            "已锁定或受限",
            "要等多久：`unlocks_in()`，没有则 `message()`。或提供另一种登录方式。",
            "在此之前不要重试：再次尝试可能延长锁定。状态令牌可能先失效。",
        ),
        ErrorClass::Configuration => {
            ("配置错误", "“暂时无法登录。”用户输入什么都没有用。", "通知运维。最后一列是要设置或修复的内容。")
        }
        ErrorClass::Server => {
            ("服务器失败", "“请稍后再试。”", "稍等再重试该步骤。首次登录需要平台的新 code。")
        }
        other => panic!("the Chinese list of error codes: no words for {other:?}: add them to advice()"),
    };
    Advice { name, tell, act }
}
