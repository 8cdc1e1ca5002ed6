//! All rules, one a file. This list is generated: `UPDATE_RULES=1 cargo test --test rules`.

mod accept_missing;
mod accept_wrong;
mod auth_missing;
mod capture_midstream;
mod capture_one_sided;
mod capture_truncated;
mod client_gave_up;
mod connection_token_missing;
mod connection_upgrade_always;
mod empty_200;
mod extended_connect_unsupported;
mod extension_parameter_invalid;
mod extension_unasked;
mod forced_upgrade;
mod forwarded_proto_wrong;
mod header_inheritance;
mod headers_too_large;
mod host_rewritten;
mod html_instead_of_101;
mod http_version_too_low;
mod idle_timeout;
mod key_invalid;
mod method_not_get;
mod mixed_backends;
mod no_close_frame;
mod no_response;
mod origin_rejected;
mod path_rewritten;
mod plaintext_on_tls_port;
mod plaintext_to_tls_upstream;
mod proxy_protocol_mismatch;
mod proxy_reload;
mod redirect_https;
mod redirect_login;
mod redirect_trailing_slash;
mod refused_by_proxy;
mod refused_by_upstream;
mod reset_injected;
mod route_missing;
mod stripped_in_transit;
mod subprotocol_mismatch;
mod switching_unasked;
mod switching_with_body;
mod switching_without_connection;
mod switching_without_upgrade;
mod tls_alert;
mod tls_on_plaintext_port;
mod tls_to_plaintext_upstream;
mod upgrade_stripped;
mod upstream_aborted;
mod upstream_refused;
mod upstream_silent;
mod upstream_unreachable;
mod version_unsupported;

use super::rule::Rule;

/// All rules, by their codes.
#[rustfmt::skip]
pub static ALL: &[&Rule] = &[
    &capture_one_sided::RULE,
    &capture_midstream::RULE,
    &capture_truncated::RULE,
    &upgrade_stripped::RULE,
    &connection_token_missing::RULE,
    &http_version_too_low::RULE,
    &header_inheritance::RULE,
    &forced_upgrade::RULE,
    &connection_upgrade_always::RULE,
    &stripped_in_transit::RULE,
    &key_invalid::RULE,
    &version_unsupported::RULE,
    &method_not_get::RULE,
    &origin_rejected::RULE,
    &host_rewritten::RULE,
    &forwarded_proto_wrong::RULE,
    &path_rewritten::RULE,
    &route_missing::RULE,
    &redirect_trailing_slash::RULE,
    &redirect_login::RULE,
    &redirect_https::RULE,
    &auth_missing::RULE,
    &headers_too_large::RULE,
    &extended_connect_unsupported::RULE,
    &proxy_protocol_mismatch::RULE,
    &accept_wrong::RULE,
    &accept_missing::RULE,
    &switching_without_upgrade::RULE,
    &switching_without_connection::RULE,
    &switching_unasked::RULE,
    &switching_with_body::RULE,
    &subprotocol_mismatch::RULE,
    &extension_unasked::RULE,
    &extension_parameter_invalid::RULE,
    &html_instead_of_101::RULE,
    &empty_200::RULE,
    &refused_by_upstream::RULE,
    &refused_by_proxy::RULE,
    &upstream_refused::RULE,
    &upstream_unreachable::RULE,
    &upstream_aborted::RULE,
    &upstream_silent::RULE,
    &no_response::RULE,
    &client_gave_up::RULE,
    &plaintext_on_tls_port::RULE,
    &tls_on_plaintext_port::RULE,
    &tls_to_plaintext_upstream::RULE,
    &plaintext_to_tls_upstream::RULE,
    &tls_alert::RULE,
    &idle_timeout::RULE,
    &proxy_reload::RULE,
    &no_close_frame::RULE,
    &reset_injected::RULE,
    &mixed_backends::RULE,
];
