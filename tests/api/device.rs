//! A device: its parts can be read and compared, and its address can change.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use idaas_login::{Client, Device, Outcome, PendingBind, Request, Response, TransportError};

fn device() -> Device {
    Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0 (中文)").unwrap()
}

#[test]
fn its_parts_can_be_read() {
    let device = device();
    assert_eq!(device.operating_sys_version(), "windows10.1.1");
    assert_eq!(device.fingerprint(), "156aysdna213sc50");
    assert_eq!(device.agent(), "Mozilla/5.0 (中文)");
    assert_eq!((device.ip(), device.language()), (None, None));
    let device = device.with_ip([192, 168, 1, 2]).with_language("zh").unwrap();
    assert_eq!(device.ip(), Some(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2))));
    assert_eq!(device.language(), Some("zh"));
    // The clone is changed, not the device.
    let moved = device.clone().with_ip(Ipv6Addr::LOCALHOST);
    assert_eq!(moved.ip(), Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    assert_eq!(device.ip(), Some(IpAddr::V4(Ipv4Addr::new(192, 168, 1, 2))));
    assert_eq!(moved.without_ip().ip(), None);
}

#[test]
fn it_can_be_compared() {
    assert_eq!(device(), device());
    assert_eq!(device().with_ip([10, 0, 0, 1]), device().with_ip([10, 0, 0, 1]));
    assert_eq!(device().with_ip([10, 0, 0, 1]).without_ip(), device());
    let all = [
        device(),
        Device::new("windows10.1.2", "156aysdna213sc50", "Mozilla/5.0 (中文)").unwrap(),
        Device::new("windows10.1.1", "156aysdna213sc51", "Mozilla/5.0 (中文)").unwrap(),
        Device::new("windows10.1.1", "156aysdna213sc50", "Mozilla/5.0").unwrap(),
        device().with_ip([10, 0, 0, 1]),
        device().with_ip([10, 0, 0, 2]),
        device().with_language("en").unwrap(),
    ];
    for (at, one) in all.iter().enumerate() {
        assert_eq!(all.iter().position(|other| other == one), Some(at));
    }
    assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
}

/// It prints neither the fingerprint nor the address.
#[test]
fn it_prints_redacted() {
    let printed = format!("{:?}", device().with_ip([203, 0, 113, 77]));
    assert!(!printed.contains("156aysdna213sc50") && !printed.contains("203"), "{printed}");
}

/// Each value has 1 KiB at the most.
#[test]
fn its_values_have_a_largest_size() {
    let (longest, longer) = ("x".repeat(1024), "x".repeat(1025));
    assert_eq!(Device::new(&longest, &longest, &longest).unwrap().agent(), longest);
    assert!(device().with_language(&longest).is_ok());
    for error in [
        Device::new(&longer, "f", "a").unwrap_err(),
        Device::new("o", &longer, "a").unwrap_err(),
        Device::new("o", "f", &longer).unwrap_err(),
        device().with_language(&longer).unwrap_err(),
    ] {
        assert!(error.to_string().contains("is longer than 1 KiB"), "{error}");
    }
}

/// What comes back with a resumed stage is the device that it was suspended with, part by part.
#[test]
fn it_comes_back_with_a_stage() {
    let respond = |_: Request| -> Result<Response, TransportError> {
        Ok(Response::new(br#"{"status":"SOCIAL_BIND","state_token":"eyJhbGci"}"#.to_vec()))
    };
    let client = Client::builder("https://acme.example.com", "a-client").build_with(respond).unwrap();
    for device in [device(), device().with_ip([203, 0, 113, 77]).with_language("en").unwrap()] {
        let outcome = client.login(device.clone()).wechat_mini_program("a-code").send().unwrap();
        let Outcome::PendingBind(stage) = outcome else { panic!("{outcome:?}") };
        let stage = client.resume::<PendingBind>(stage.suspend()).unwrap();
        assert_eq!(*stage.device(), device);
    }
}
