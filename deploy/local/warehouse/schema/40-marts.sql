-- Levels 2 to 6: what people ask for.
CREATE SCHEMA intermediate;
CREATE VIEW intermediate.int_category_tree AS
  WITH RECURSIVE tree AS (
    SELECT category_id, name::text AS path, 1 AS depth FROM shop.categories WHERE parent_id IS NULL
    UNION ALL
    SELECT c.category_id, t.path || ' / ' || c.name, t.depth + 1 FROM shop.categories c JOIN tree t ON c.parent_id = t.category_id
  )
  SELECT * FROM tree;
CREATE VIEW intermediate.int_order_lines AS
  SELECT o.order_id, i.line, o.customer_id, i.product_id, o.ordered_on, i.quantity,
    i.line_amount * r.euro_rate AS amount_eur, i.quantity * p.unit_cost AS cost_eur
  FROM staging.stg_orders o
  JOIN staging.stg_order_items i USING (order_id)
  JOIN staging.stg_products p USING (product_id)
  LEFT JOIN staging.stg_rates r ON r.currency = o.currency AND r.day = o.ordered_on;
COMMENT ON VIEW intermediate.int_order_lines IS 'Order lines in euro';
CREATE VIEW intermediate.int_customer_activity AS
  SELECT customer_id, signed_up_at AS happened_at, 'sign-up' AS activity FROM staging.stg_customers
  UNION ALL SELECT customer_id, ordered_at, 'order' FROM staging.stg_orders
  UNION ALL SELECT customer_id, opened_at, 'ticket' FROM staging.stg_tickets;

CREATE SCHEMA marts;
COMMENT ON SCHEMA marts IS 'What dashboards read';
CREATE VIEW marts.fct_orders AS
  SELECT l.order_id, l.customer_id, min(l.ordered_on) AS ordered_on, sum(l.amount_eur) AS revenue_eur, sum(l.amount_eur - l.cost_eur) AS margin_eur,
    count(*) AS lines, max(p.paid_amount) AS paid_amount
  FROM intermediate.int_order_lines l LEFT JOIN staging.stg_payments p USING (order_id) GROUP BY l.order_id, l.customer_id;
CREATE VIEW marts.dim_customers AS
  SELECT c.customer_id, c.full_name, c.email, k.name AS country, c.signed_up_at,
    (SELECT max(a.happened_at) FROM intermediate.int_customer_activity a WHERE a.customer_id = c.customer_id) AS last_seen_at
  FROM staging.stg_customers c JOIN shop.countries k ON k.code = c.country_code;
CREATE VIEW marts.dim_products AS
  SELECT p.product_id, p.sku, p.title, p.category, p.list_margin, s.available, s.available < 10 AS runs_out
  FROM staging.stg_products p LEFT JOIN staging.stg_stock s USING (product_id);
CREATE VIEW marts.fct_revenue_daily AS
  SELECT o.ordered_on AS day, c.country, sum(o.revenue_eur) AS revenue_eur, sum(o.margin_eur) AS margin_eur, count(DISTINCT o.customer_id) AS customers
  FROM marts.fct_orders o JOIN marts.dim_customers c USING (customer_id) GROUP BY 1, 2;
CREATE VIEW marts.customer_value AS
  SELECT customer_id, full_name, country, revenue_eur, rank() OVER (PARTITION BY country ORDER BY revenue_eur DESC) AS rank_in_country
  FROM (SELECT c.customer_id, c.full_name, c.country, sum(o.revenue_eur) AS revenue_eur
        FROM marts.dim_customers c LEFT JOIN marts.fct_orders o USING (customer_id) GROUP BY 1, 2, 3) totals;
CREATE VIEW marts.support_quality AS
  SELECT c.country, avg(t.score) AS average_score, avg(t.closed_at - t.opened_at) AS time_to_close
  FROM staging.stg_tickets t JOIN marts.dim_customers c USING (customer_id) GROUP BY c.country;

CREATE SCHEMA reporting;
COMMENT ON SCHEMA reporting IS 'What the board reads';
CREATE MATERIALIZED VIEW reporting.revenue_monthly AS
  SELECT k.month, d.country, sum(d.revenue_eur) AS revenue_eur, sum(d.margin_eur) AS margin_eur
  FROM marts.fct_revenue_daily d JOIN finance.calendar k ON k.day = d.day GROUP BY 1, 2;
COMMENT ON MATERIALIZED VIEW reporting.revenue_monthly IS 'Refreshed every night';
CREATE UNIQUE INDEX ON reporting.revenue_monthly (month, country);
CREATE VIEW reporting.revenue_against_target AS
  SELECT m.month, m.country, m.revenue_eur, t.revenue AS target_eur, m.revenue_eur / nullif(t.revenue, 0) AS attainment
  FROM reporting.revenue_monthly m
  JOIN shop.countries k ON k.name = m.country
  LEFT JOIN finance.targets t ON t.month = m.month AND t.country_code = k.code;
CREATE VIEW reporting.board_summary AS
  SELECT month, sum(revenue_eur) AS revenue_eur, avg(attainment) AS attainment FROM reporting.revenue_against_target GROUP BY month;
COMMENT ON VIEW reporting.board_summary IS 'First page of the monthly report';
