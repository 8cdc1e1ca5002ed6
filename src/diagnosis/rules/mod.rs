//! All rules, one a file. This list is generated: `UPDATE_RULES=1 cargo test --test rules`.

mod accept_missing;
mod accept_wrong;
mod answer_not_http;
mod attempts_differ;
mod auth_missing;
mod capture_dropped;
mod capture_duplicates;
mod capture_midstream;
mod capture_one_sided;
mod capture_truncated;
mod client_frame_unmasked;
mod client_gave_up;
mod close_malformed;
mod close_unanswered;
mod closed_with_error;
mod connection_token_missing;
mod connection_upgrade_always;
mod continuation_without_start;
mod control_frame_fragmented;
mod control_frame_too_long;
mod data_after_close;
mod deflate_broken_by_proxy;
mod deflate_failed;
mod empty_200;
mod engineio_poll_refused;
mod engineio_session_unknown;
mod engineio_stuck_polling;
mod engineio_version_mismatch;
mod extended_connect_unsupported;
mod extension_parameter_invalid;
mod extension_unasked;
mod forced_upgrade;
mod forwarded_proto_wrong;
mod frames_before_101;
mod graphql_subprotocol;
mod half_open;
mod header_inheritance;
mod headers_too_large;
mod host_rewritten;
mod html_instead_of_101;
mod http_in_tunnel;
mod http_version_too_low;
mod idle_timeout;
mod intercepted_in_transit;
mod key_invalid;
mod length_not_minimal;
mod lifetime_limit;
mod message_interrupted;
mod message_too_big;
mod method_not_get;
mod mixed_backends;
mod no_close_frame;
mod no_response;
mod origin_rejected;
mod path_blocked;
mod path_loss;
mod path_mtu;
mod path_rewritten;
mod ping_unanswered;
mod plaintext_on_tls_port;
mod plaintext_to_tls_upstream;
mod plane_live_auth;
mod plane_live_path;
mod proxy_protocol_mismatch;
mod proxy_reload;
mod reconnect_storm;
mod redirect_https;
mod redirect_login;
mod redirect_trailing_slash;
mod refused_by_proxy;
mod refused_by_upstream;
mod reserved_bit_set;
mod reserved_opcode;
mod reset_injected;
mod retransmission_storm;
mod route_missing;
mod server_frame_masked;
mod session_not_sticky;
mod signalr_handshake_missing;
mod signalr_session_unknown;
mod slow_consumer;
mod sockjs_fallback;
mod stripped_in_transit;
mod subprotocol_mismatch;
mod switching_unasked;
mod switching_with_body;
mod switching_without_connection;
mod switching_without_upgrade;
mod text_not_utf8;
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
    &capture_duplicates::RULE,
    &capture_dropped::RULE,
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
    &answer_not_http::RULE,
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
    &lifetime_limit::RULE,
    &proxy_reload::RULE,
    &ping_unanswered::RULE,
    &half_open::RULE,
    &no_close_frame::RULE,
    &close_unanswered::RULE,
    &closed_with_error::RULE,
    &data_after_close::RULE,
    &slow_consumer::RULE,
    &deflate_broken_by_proxy::RULE,
    &client_frame_unmasked::RULE,
    &server_frame_masked::RULE,
    &reserved_bit_set::RULE,
    &reserved_opcode::RULE,
    &control_frame_fragmented::RULE,
    &control_frame_too_long::RULE,
    &continuation_without_start::RULE,
    &message_interrupted::RULE,
    &length_not_minimal::RULE,
    &text_not_utf8::RULE,
    &deflate_failed::RULE,
    &close_malformed::RULE,
    &message_too_big::RULE,
    &http_in_tunnel::RULE,
    &frames_before_101::RULE,
    &path_mtu::RULE,
    &retransmission_storm::RULE,
    &reset_injected::RULE,
    &path_blocked::RULE,
    &path_loss::RULE,
    &intercepted_in_transit::RULE,
    &engineio_session_unknown::RULE,
    &engineio_stuck_polling::RULE,
    &signalr_session_unknown::RULE,
    &graphql_subprotocol::RULE,
    &plane_live_path::RULE,
    &plane_live_auth::RULE,
    &engineio_version_mismatch::RULE,
    &signalr_handshake_missing::RULE,
    &sockjs_fallback::RULE,
    &engineio_poll_refused::RULE,
    &mixed_backends::RULE,
    &session_not_sticky::RULE,
    &reconnect_storm::RULE,
    &attempts_differ::RULE,
];
