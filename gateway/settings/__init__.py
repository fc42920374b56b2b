"""The configuration: frozen settings, a class per section, unknown keys are errors.

Pure: `parse_settings` makes `Settings` of the tree that a TOML file holds. Files and the
environment are read in `gateway.cli.settings_file`.
"""

from gateway.settings.kinds import is_name
from gateway.settings.parse import (
    format_settings,
    nearest_key,
    parse_settings,
    shape_of,
)
from gateway.settings.sections import (
    PUBLIC_UPSTREAMS,
    AdminSettings,
    CacheSettings,
    ClusterSettings,
    DenylistSettings,
    GeoipSettings,
    HostSettings,
    LimitsSettings,
    LogSettings,
    NamesSettings,
    RetrievalSettings,
    RoutingSettings,
    SelectionSettings,
    ServerSettings,
    Settings,
    SharedSettings,
    UpstreamSettings,
)
from gateway.settings.shapes import Shape
from gateway.settings.values import (
    DURATION_OF_RATE,
    ListenAddress,
    TcpAddress,
    UnixAddress,
    is_host,
    parse_dns_server,
    parse_listen,
    parse_origin,
)

__all__ = [
    "DURATION_OF_RATE",
    "PUBLIC_UPSTREAMS",
    "AdminSettings",
    "CacheSettings",
    "ClusterSettings",
    "DenylistSettings",
    "GeoipSettings",
    "HostSettings",
    "LimitsSettings",
    "ListenAddress",
    "LogSettings",
    "NamesSettings",
    "RetrievalSettings",
    "RoutingSettings",
    "SelectionSettings",
    "ServerSettings",
    "Settings",
    "Shape",
    "SharedSettings",
    "TcpAddress",
    "UnixAddress",
    "UpstreamSettings",
    "format_settings",
    "is_host",
    "is_name",
    "nearest_key",
    "parse_dns_server",
    "parse_listen",
    "parse_origin",
    "parse_settings",
    "shape_of",
]
