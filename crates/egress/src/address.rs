//! What an IP address is, as far as the guard is concerned (spec backend 3.8).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kinds of address that the guard tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Reachable from anywhere.
    Public,
    /// This machine: `127.0.0.0/8` and `::1`.
    Loopback,
    /// A private network: RFC 1918, RFC 4193, and carrier-grade NAT (`100.64.0.0/10`).
    Private,
    /// Never called in any mode: link-local, cloud metadata, multicast, unspecified, documentation,
    /// benchmarking, reserved, and every form that embeds an IPv4 address in an IPv6 one.
    Never,
}

/// Metadata services of clouds outside the link-local ranges; some look private or public.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];

/// As [`METADATA_V4`].
const METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);

/// Says what an address is. Total: every address has exactly one class.
pub fn classify(address: IpAddr) -> Class {
    match address {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    if METADATA_V4.contains(&address) {
        return Class::Never;
    }
    match address.octets() {
        [127, ..] => Class::Loopback,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Class::Private,
        // This network, multicast and everything above, link-local, protocol assignments,
        // documentation, 6to4 relays, benchmarks.
        [0 | 224..=255, ..]
        | [169, 254, ..]
        | [192, 0, 0 | 2, _]
        | [192, 88, 99, _]
        | [198, 18 | 19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Class::Never,
        _ => Class::Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    // In `fd00:ec2::/32` a cloud keeps its own services (metadata, names, time), not its customers'.
    if address == METADATA_V6 || matches!(address.segments(), [0xfd00, 0x0ec2, ..]) {
        return Class::Never;
    }
    if address == Ipv6Addr::LOCALHOST {
        return Class::Loopback;
    }
    match address.segments() {
        [0xfc00..=0xfdff, ..] => Class::Private,
        // Protocol assignments (Teredo and ORCHID among them), documentation, 6to4.
        [0x2001, 0x0000..=0x01ff | 0x0db8, ..] | [0x2002, ..] | [0x3fff, 0x0000..=0x0fff, ..] => Class::Never,
        // The only range from which global unicast addresses are given out.
        [0x2000..=0x3fff, ..] => Class::Public,
        _ => Class::Never,
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;
    use proptest::prelude::*;

    use super::*;

    /// The ranges as registries write them, apart from the code above: first match wins.
    const TABLE: &[(&str, Class)] = &[
        ("100.100.100.200/32", Class::Never),
        ("168.63.129.16/32", Class::Never),
        ("fd00:ec2::/32", Class::Never),
        ("fd20:ce::254/128", Class::Never),
        ("0.0.0.0/8", Class::Never),
        ("10.0.0.0/8", Class::Private),
        ("100.64.0.0/10", Class::Private),
        ("127.0.0.0/8", Class::Loopback),
        ("169.254.0.0/16", Class::Never),
        ("172.16.0.0/12", Class::Private),
        ("192.0.0.0/24", Class::Never),
        ("192.0.2.0/24", Class::Never),
        ("192.88.99.0/24", Class::Never),
        ("192.168.0.0/16", Class::Private),
        ("198.18.0.0/15", Class::Never),
        ("198.51.100.0/24", Class::Never),
        ("203.0.113.0/24", Class::Never),
        ("224.0.0.0/4", Class::Never),
        ("240.0.0.0/4", Class::Never),
        ("255.255.255.255/32", Class::Never),
        ("0.0.0.0/0", Class::Public),
        ("::1/128", Class::Loopback),
        ("::/128", Class::Never),
        ("::ffff:0:0/96", Class::Never),
        ("64:ff9b::/96", Class::Never),
        ("100::/64", Class::Never),
        ("2001::/23", Class::Never),
        ("2001::/32", Class::Never),
        ("2001:10::/28", Class::Never),
        ("2001:20::/28", Class::Never),
        ("2001:db8::/32", Class::Never),
        ("2002::/16", Class::Never),
        ("3fff::/20", Class::Never),
        ("fc00::/7", Class::Private),
        ("fe80::/10", Class::Never),
        ("ff00::/8", Class::Never),
        ("2000::/3", Class::Public),
        ("::/0", Class::Never),
    ];

    fn table() -> Vec<(IpNet, Class)> {
        TABLE.iter().map(|(net, class)| (net.parse().unwrap(), *class)).collect()
    }

    fn expected(address: IpAddr) -> Class {
        table().iter().find(|(net, _)| net.contains(&address)).map(|(_, class)| *class).unwrap()
    }

    #[test]
    fn first_and_last_address_of_every_range_and_their_neighbours() {
        for (net, _) in table() {
            let (first, last) = (net.network(), net.broadcast());
            for address in [first, last, neighbour(first, false), neighbour(last, true)] {
                assert_eq!(classify(address), expected(address), "{address}");
            }
        }
    }

    fn neighbour(address: IpAddr, up: bool) -> IpAddr {
        let step = |number: u128| if up { number.wrapping_add(1) } else { number.wrapping_sub(1) };
        match address {
            IpAddr::V4(v4) => {
                let moved = step(u128::from(v4.to_bits())) & u128::from(u32::MAX);
                IpAddr::V4(Ipv4Addr::from_bits(u32::try_from(moved).unwrap()))
            }
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(step(v6.to_bits()))),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn any_v4_address_is_classified_as_the_table_says(bits in any::<u32>()) {
            let address = IpAddr::V4(Ipv4Addr::from_bits(bits));
            prop_assert_eq!(classify(address), expected(address));
        }

        #[test]
        fn any_v6_address_is_classified_as_the_table_says(bits in any::<u128>()) {
            let address = IpAddr::V6(Ipv6Addr::from_bits(bits));
            prop_assert_eq!(classify(address), expected(address));
        }

        #[test]
        fn addresses_inside_the_ranges_are_classified_as_the_table_says(row in 0..TABLE.len(), host in any::<u128>()) {
            let address = match table()[row].0 {
                IpNet::V4(net) => {
                    let low = u32::try_from(host & u128::from(u32::MAX)).unwrap();
                    IpAddr::V4(Ipv4Addr::from_bits(net.network().to_bits() | low & net.hostmask().to_bits()))
                }
                IpNet::V6(net) => IpAddr::V6(Ipv6Addr::from_bits(net.network().to_bits() | host & net.hostmask().to_bits())),
            };
            prop_assert_eq!(classify(address), expected(address));
        }
    }
}
