-- Level 1: the raw tables, cleaned and renamed.
CREATE SCHEMA staging;
COMMENT ON SCHEMA staging IS 'One view a raw table: names, types and filters, nothing else';

CREATE VIEW staging.stg_customers AS
  SELECT customer_id, lower(email) AS email, first_name || ' ' || last_name AS full_name, country_code, marketing_consent,
    created_at AS signed_up_at
  FROM shop.customers WHERE deleted_at IS NULL;
COMMENT ON VIEW staging.stg_customers IS 'Customers that have not been deleted';
COMMENT ON COLUMN staging.stg_customers.email IS 'Personal data, lower case';

CREATE VIEW staging.stg_orders AS
  SELECT order_id, customer_id, status, currency, ordered_at, ordered_at::date AS ordered_on FROM shop.orders WHERE status <> 'cancelled';
CREATE VIEW staging.stg_order_items AS
  SELECT order_id, line, product_id, quantity, quantity * unit_price - discount AS line_amount FROM shop.order_items;
CREATE VIEW staging.stg_products AS
  SELECT p.product_id, p.sku, p.title, c.name AS category, p.list_price, p.unit_cost, p.list_price - p.unit_cost AS list_margin
  FROM shop.products p JOIN shop.categories c USING (category_id) WHERE p.active;
CREATE VIEW staging.stg_payments AS SELECT order_id, sum(amount) AS paid_amount, max(paid_at) AS last_paid_at FROM shop.payments GROUP BY order_id;
CREATE VIEW staging.stg_returns AS SELECT order_id, line, quantity AS returned_quantity, returned_at FROM shop.returns;
CREATE VIEW staging.stg_stock AS SELECT product_id, sum(available) AS available, max(counted_at) AS counted_at FROM inventory.stock_levels GROUP BY product_id;
CREATE VIEW staging.stg_shipments AS SELECT order_id, carrier, shipped_at, delivered_at, delivered_at - shipped_at AS transit_time FROM inventory.shipments;
CREATE VIEW staging.stg_tickets AS SELECT t.ticket_id, t.customer_id, t.priority, t.opened_at, t.closed_at, s.score FROM crm.tickets t LEFT JOIN crm.satisfaction s USING (ticket_id);
CREATE VIEW staging.stg_events AS SELECT event_id, session_id, event_type, product_id, occurred_at FROM web.events;
CREATE VIEW staging.stg_sessions AS SELECT s.session_id, s.customer_id, s.started_at, coalesce(c.channel, 'direct') AS channel FROM web.sessions s LEFT JOIN web.campaigns c USING (campaign_id);
CREATE VIEW staging.stg_ad_spend AS SELECT campaign_id, day, clicks, cost, cost / nullif(clicks, 0) AS cost_per_click FROM web.ad_spend;
CREATE VIEW staging.stg_rates AS SELECT currency, day, 1 / per_euro AS euro_rate FROM finance.exchange_rates;
