"""The exchange's operations: functions of the exchange, the account (where it needs one) and the parameters.

Each returns what stands under `data` in the answer, or raises `KucoinError`. Beside it stands its `PublicOperation` or
`AccountOperation`, which says what it weighs. `rest` gives each its path.

- `market`, `tickers`, `symbols`   what everybody may see
- `accounts`                       balances, fees, tokens, and what clients ask before they trade
- `placing`, `canceling`           orders; `order_request` reads them
- `naming`, `history`              which order a request names, and which orders and fills it asks for
- `queries`                        orders and fills, as high-frequency accounts ask; `paged` as other accounts do
- `stop_orders`                    orders that wait for a price
- `forms`                          how an order or a fill is shown
"""
