# Copyright (c) pulumi-gitops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Private to this collection: may change at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options that say how to reach the cluster; names and variables are those of kubernetes.core."""

    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig on the managed node (several separated by V(:)), its text, or its content as a dictionary.
      - Without it E(KUBECONFIG), then V(~/.kube/config), then the service account of the pod is used.
      - Default is the value of E(K8S_AUTH_KUBECONFIG).
    type: raw
  context:
    description:
      - Context of the kubeconfig to use instead of its current one.
      - Default is the value of E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server. With it, no kubeconfig is read.
      - Default is the value of E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token.
      - Default is the value of E(K8S_AUTH_API_KEY).
    type: str
  validate_certs:
    description:
      - Whether to verify the certificate of the API server. It is verified unless the kubeconfig says otherwise.
      - Default is the value of E(K8S_AUTH_VERIFY_SSL) or E(K8S_AUTH_VALIDATE_CERTS).
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description:
      - Path of the CA certificates, in PEM, that the API server is verified with.
      - Default is the value of E(K8S_AUTH_SSL_CA_CERT) or E(K8S_AUTH_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of a client certificate.
      - Default is the value of E(K8S_AUTH_CERT_FILE) or E(K8S_AUTH_CLIENT_CERT).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of the key of O(client_cert).
      - Default is the value of E(K8S_AUTH_KEY_FILE) or E(K8S_AUTH_CLIENT_KEY).
    type: path
    aliases: [key_file]
  proxy:
    description:
      - URL of an HTTP proxy.
      - Default is the value of E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Comma-separated hosts and domains that are reached without the proxy.
      - Default is the value of E(K8S_AUTH_NO_PROXY).
    type: str
  proxy_headers:
    description: Headers for the proxy.
    type: dict
    suboptions:
      proxy_basic_auth:
        description:
          - Colon-separated user and password for the proxy.
          - Default is the value of E(K8S_AUTH_PROXY_HEADERS_PROXY_BASIC_AUTH).
        type: str
      basic_auth:
        description:
          - Colon-separated user and password for basic authentication.
          - Default is the value of E(K8S_AUTH_PROXY_HEADERS_BASIC_AUTH).
        type: str
      user_agent:
        description:
          - User agent.
          - Default is the value of E(K8S_AUTH_PROXY_HEADERS_USER_AGENT).
        type: str
  impersonate_user:
    description:
      - User to act as.
      - Default is the value of E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description:
      - Groups to act as, together with O(impersonate_user).
      - Default is the comma-separated value of E(K8S_AUTH_IMPERSONATE_GROUPS).
    type: list
    elements: str
requirements:
  - python >= 3.11
  - pulumi-gitops ~= 0.1.0
"""
