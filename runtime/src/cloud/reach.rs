//! Which addresses the client may connect to, asked anew at each connection: a name may lead elsewhere than it did when
//! it was set. https may go to any ordinary address, the shop's own network included; plain http to this machine alone,
//! unless that is allowed; and nothing goes to addresses that are no cloud's.

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Services of clouds that give away a machine's secrets to whoever asks from it: Alibaba, Oracle, Amazon. The usual one,
/// 169.254.169.254, is link-local.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// What is asked of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// This machine.
    Loopback,
    /// Any ordinary address.
    Ordinary,
}

/// Why an address is not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfReach {
    /// 0.0.0.0/8, `::`.
    #[error("an unspecified address")]
    Unspecified,
    /// 169.254/16, `fe80::/10`.
    #[error("a link-local address, where clouds' machines keep their secrets")]
    LinkLocal,
    /// Other places where they do.
    #[error("an address where clouds' machines keep their secrets")]
    Metadata,
    /// 224/4, `ff00::/8`, 255.255.255.255.
    #[error("an address of many machines")]
    Many,
    /// Plain http to another machine.
    #[error("not this machine, and plain http goes no further without CLOUD_ALLOW_HTTP=true")]
    NotThisMachine,
}

impl Reach {
    /// How far a client may go.
    pub(super) fn of(secure: bool, allow_http: bool) -> Self {
        if secure || allow_http {
            Self::Ordinary
        } else {
            Self::Loopback
        }
    }

    /// Whether this address may be connected to.
    pub(super) fn check(self, ip: IpAddr) -> Result<(), OutOfReach> {
        for ip in [ip, inside(ip).unwrap_or(ip)] {
            ordinary(ip)?;
        }
        if self == Self::Loopback && !ip.to_canonical().is_loopback() {
            return Err(OutOfReach::NotThisMachine);
        }
        Ok(())
    }
}

fn ordinary(ip: IpAddr) -> Result<(), OutOfReach> {
    let (unspecified, link_local, many) = match ip {
        IpAddr::V4(v4) => (
            v4.octets()[0] == 0,
            v4.is_link_local(),
            v4.is_multicast() || v4.is_broadcast(),
        ),
        IpAddr::V6(v6) => (v6.is_unspecified(), v6.is_unicast_link_local(), v6.is_multicast()),
    };
    match (unspecified, link_local, many) {
        (true, ..) => Err(OutOfReach::Unspecified),
        (_, true, _) => Err(OutOfReach::LinkLocal),
        (.., true) => Err(OutOfReach::Many),
        _ if METADATA.contains(&ip) => Err(OutOfReach::Metadata),
        _ => Ok(()),
    }
}

/// The IPv4 address that an IPv6 one leads to: mapped (`::ffff:…`), compatible (`::…`), translated (`64:ff9b::…`), 6to4.
fn inside(ip: IpAddr) -> Option<IpAddr> {
    let IpAddr::V6(v6) = ip else { return None };
    let bits = v6.to_bits();
    let low = Ipv4Addr::from_bits((bits & u128::from(u32::MAX)) as u32);
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low.into()),
        // `::` and `::1` are addresses of their own.
        [0, 0, 0, 0, 0, 0, ..] if bits > 1 => Some(low.into()),
        [0x2002, ..] => Some(Ipv4Addr::from_bits((bits >> 80 & u128::from(u32::MAX)) as u32).into()),
        _ => None,
    }
}

/// The system's resolver, with what is out of reach taken out of its answers.
pub(super) struct Reachable(pub(super) Reach);

/// A name that leads nowhere one may go.
#[derive(Debug, thiserror::Error)]
#[error("{name} leads to {ip}, {why}")]
struct LeadsAstray {
    name: String,
    ip: IpAddr,
    why: OutOfReach,
}

impl Resolve for Reachable {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let within = within(reach, name.as_str(), found)?;
            Ok(Box::new(within.into_iter()) as Addrs)
        })
    }
}

fn within(
    reach: Reach,
    name: &str,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, LeadsAstray> {
    let mut astray = None;
    let within: Vec<_> = found
        .filter(|address| match reach.check(address.ip()) {
            Ok(()) => true,
            Err(why) => {
                astray = Some((address.ip(), why));
                false
            }
        })
        .collect();
    match astray {
        Some((ip, why)) if within.is_empty() => Err(LeadsAstray {
            name: name.to_owned(),
            ip,
            why,
        }),
        _ => Ok(within),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(reach: Reach, ip: &str) -> Result<(), OutOfReach> {
        reach.check(ip.parse().unwrap())
    }

    #[test]
    fn nothing_goes_to_addresses_that_are_no_clouds() {
        use OutOfReach::{LinkLocal, Many, Metadata, Unspecified};
        let table = [
            ("0.0.0.0", Unspecified),
            ("0.1.2.3", Unspecified),
            ("::", Unspecified),
            ("::ffff:0.0.0.0", Unspecified),
            ("169.254.169.254", LinkLocal),
            ("169.254.0.1", LinkLocal),
            ("fe80::1", LinkLocal),
            ("febf::1", LinkLocal),
            ("::ffff:169.254.169.254", LinkLocal),
            ("::169.254.169.254", LinkLocal),
            ("64:ff9b::a9fe:a9fe", LinkLocal),
            ("2002:a9fe:a9fe::1", LinkLocal),
            ("224.0.0.1", Many),
            ("239.255.255.250", Many),
            ("255.255.255.255", Many),
            ("ff02::1", Many),
            ("::ffff:224.0.0.1", Many),
            ("100.100.100.200", Metadata),
            ("192.0.0.192", Metadata),
            ("fd00:ec2::254", Metadata),
        ];
        for (ip, why) in table {
            for reach in [Reach::Ordinary, Reach::Loopback] {
                assert_eq!(of(reach, ip), Err(why), "{ip}");
            }
        }
    }

    #[test]
    fn https_goes_to_the_shops_network_and_the_world_and_plain_http_to_this_machine() {
        for ip in ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(of(Reach::Loopback, ip), Ok(()), "{ip}");
            assert_eq!(of(Reach::Ordinary, ip), Ok(()), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "192.168.1.7",
            "172.16.0.1",
            "100.64.0.1",
            "fd12:3456::1",
            "203.0.113.9",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
        ] {
            assert_eq!(of(Reach::Loopback, ip), Err(OutOfReach::NotThisMachine), "{ip}");
            assert_eq!(of(Reach::Ordinary, ip), Ok(()), "{ip}");
        }
    }

    #[test]
    fn how_far_a_client_goes_is_said_by_its_address_and_the_setting() {
        assert_eq!(Reach::of(true, false), Reach::Ordinary);
        assert_eq!(Reach::of(false, true), Reach::Ordinary);
        assert_eq!(Reach::of(false, false), Reach::Loopback);
    }

    #[test]
    fn of_a_names_addresses_those_out_of_reach_are_left_out_and_told_when_none_is_left() {
        let found = |ips: &[&str]| {
            let ips: Vec<SocketAddr> = ips
                .iter()
                .map(|ip| (ip.parse::<IpAddr>().unwrap(), 0).into())
                .collect();
            within(Reach::Loopback, "localhost", ips.into_iter())
        };
        let kept = found(&["10.0.0.1", "127.0.0.1", "169.254.169.254"]).unwrap();
        assert_eq!(kept, ["127.0.0.1:0".parse().unwrap()]);
        let error = found(&["10.0.0.1"]).unwrap_err().to_string();
        assert!(
            error.starts_with("localhost leads to 10.0.0.1, not this machine"),
            "{error}"
        );
        assert!(found(&[]).unwrap().is_empty());
    }
}
