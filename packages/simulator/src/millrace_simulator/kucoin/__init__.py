"""KuCoin spot's wire protocol over the venue: REST, market and account streams.

- `parameters`  reads what a request says in its path, its query and its JSON body.
- `signing`     checks key, passphrase, time and signature.
- `limits`      counts weights in pools: public by address, spot and management by account.
- `tokens`      the bullets: tokens with which a client opens its streams.
- `exchange`    `Exchange`: venue, limits, tokens, and the operations' two kinds.
- `operations`  one function for each operation; beside it what it weighs. `rest` has the path of each.
- `streams`     topics, their messages, and who listens to them.
- `errors`      `KucoinError(code, message, status)`; `rejections` maps the venue's errors.
- `ids`, `numbers`  how KuCoin writes order ids and numbers.

Sources: KuCoin's specification, github.com/Kucoin/kucoin-universal-sdk, folder `spec`; www.kucoin.com/docs-new.
"""

from millrace_simulator.kucoin.serving import add_kucoin_routes

__all__ = ["add_kucoin_routes"]
