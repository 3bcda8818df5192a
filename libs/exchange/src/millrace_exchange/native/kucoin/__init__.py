"""KuCoin spot: its market streams and the account's own, each over connections opened with a token.

Source: KuCoin's specification (github.com/Kucoin/kucoin-universal-sdk, spec/ws), documentation pages "Introduction" of
the WebSocket API and "Orderbook - Increment".
"""
