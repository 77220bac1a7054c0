//! The country codes: read leniently, bounded, and never evaluated.

use std::fmt::Write as _;

use idaas_login::emulator::Emulator;
use idaas_login::{Client, CountryCodes, Edition, Error, Request, UnexpectedReason};
use support::{CLIENT_ID, device, response};

fn read(body: String) -> Result<CountryCodes, Error> {
    let builder = Client::builder("https://acme.example.com", CLIENT_ID).edition(Edition::OneAccess);
    let client = builder.build_with(move |_: Request| Ok(response(200, body.clone()))).unwrap();
    client.country_codes(&device()).send()
}

#[test]
fn the_documented_example_is_read() {
    let tenant = Emulator::new();
    tenant.configure(|settings| settings.edition = Edition::OneAccess);
    let codes = tenant.client().unwrap().country_codes(&device()).send().unwrap();
    assert_eq!(codes.entries().len(), 4);
    assert_eq!(codes.preferred_country(), Some("CN"));
    let china = codes.preferred().unwrap();
    assert_eq!((china.area_code(), china.country_code()), (Some("86"), Some("CN")));
    assert_eq!(china.mobile_regex(), Some(r"^(\+86){0,1}\-?1\d{10}$"));
    assert_eq!(china.display_name("zh-CN"), Some("中国大陆"));
    assert_eq!(china.display_names().count(), 3);
    assert!(china.area_code_suffixes().is_empty());
    // What the tenant wrote is its own: it is not printed.
    assert_eq!(format!("{china:?}"), r#"CountryCode { country_code: Some("CN"), .. }"#);
    assert_eq!(format!("{codes:?}"), "CountryCodes { entries: 4, .. }");
}

#[test]
fn what_is_missing_or_of_another_type_is_absent() {
    let body = r#"{"phoneAreaCodeDefinitions":[
        {"areaCode":86,"areaCodeSuffixes":"1,2","displayMapping":null,"mobileRegex":7.5,"more":[{}]},
        {"areaCodeSuffixes":["1",2,null,{"a":1}],"countryCode":" H\u004b ","displayMapping":{"en":"x","fr":17.5,"de":{}}},
        "no entry", null, 17, [],
        {},
        {"displayMapping":"x","countryCode":"\ud800","areaCode":""}
    ],"preferredAreaCode":"86"}"#;
    let codes = read(body.to_owned()).unwrap();
    let [first, second, third, fourth] = codes.entries() else { panic!("{:?}", codes.entries()) };
    assert_eq!((first.area_code(), first.country_code(), first.mobile_regex()), (Some("86"), None, None));
    assert_eq!(first.area_code_suffixes(), ["1,2"]);
    assert_eq!(second.area_code_suffixes(), ["1", "2"]);
    assert_eq!(second.country_code(), Some("HK"));
    assert_eq!(second.display_names().collect::<Vec<_>>(), [("en", "x")]);
    for empty in [third, fourth] {
        assert_eq!((empty.area_code(), empty.country_code(), empty.display_names().count()), (None, None, 0));
    }
    // None has the country, one has the area.
    assert_eq!(codes.preferred(), Some(first));
    for preferred in ["", r#","preferredAreaCode":null"#, r#","preferredAreaCode":[1]"#] {
        let codes = read(format!(r#"{{"phoneAreaCodeDefinitions":[]{preferred}}}"#)).unwrap();
        assert!(
            codes.entries().is_empty() && codes.preferred().is_none() && codes.preferred_country().is_none()
        );
    }
}

#[test]
fn a_tenant_cannot_make_it_large() {
    let mut entries = String::new();
    for index in 0..600 {
        write!(entries, r#"{{"areaCode":"{index}"}},"#).unwrap();
    }
    let codes = read(format!(r#"{{"phoneAreaCodeDefinitions":[{entries}{{}}]}}"#)).unwrap();
    assert_eq!(codes.entries().len(), 512);
    assert_eq!(codes.entries()[511].area_code(), Some("511"));

    let (long, mut names) = ("x".repeat(1025), String::new());
    for index in 0..100 {
        write!(names, r#""l{index}":"n","#).unwrap();
    }
    let suffixes = "1,".repeat(100);
    let body = format!(
        r#"{{"phoneAreaCodeDefinitions":[{{"areaCode":"{long}","mobileRegex":"{long}","displayMapping":{{{names}"en":"{long}"}},
            "areaCodeSuffixes":[{suffixes}1]}},{{"mobileRegex":"{}"}}],"preferredAreaCode":"{long}"}}"#,
        &long[1..]
    );
    let codes = read(body).unwrap();
    let entry = &codes.entries()[0];
    assert_eq!((entry.area_code(), entry.mobile_regex(), codes.preferred_country()), (None, None, None));
    assert_eq!((entry.display_names().count(), entry.area_code_suffixes().len()), (32, 32));
    assert_eq!(codes.entries()[1].mobile_regex().unwrap().len(), 1024);
}

#[test]
fn an_answer_without_a_list_is_unreadable() {
    for body in
        ["", "{}", "[]", r#"{"phoneAreaCodeDefinitions":null}"#, r#"{"phoneAreaCodeDefinitions":{"a":1}}"#]
    {
        let Err(Error::Unexpected(answer)) = read(body.to_owned()) else { panic!("{body}") };
        assert_eq!(*answer.reason(), UnexpectedReason::Unreadable, "{body}");
    }
}
