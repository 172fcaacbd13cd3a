-- What the extraction jobs load, one schema a system it comes from.
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'Orders, customers and products, loaded from the web shop every hour';

CREATE TABLE shop.countries (
  code char(2) PRIMARY KEY,
  name text NOT NULL UNIQUE,
  currency char(3) NOT NULL
);
COMMENT ON TABLE shop.countries IS 'Countries that the shop delivers to';

CREATE TABLE shop.customers (
  customer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  first_name text NOT NULL,
  last_name text NOT NULL,
  country_code char(2) NOT NULL REFERENCES shop.countries,
  marketing_consent boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
COMMENT ON TABLE shop.customers IS 'Everybody who has an account in the shop';
COMMENT ON COLUMN shop.customers.email IS 'Personal data: sign-in name and address for receipts';
COMMENT ON COLUMN shop.customers.marketing_consent IS 'Whether newsletters may be sent';

CREATE TABLE shop.addresses (
  address_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES shop.customers ON DELETE CASCADE,
  street text NOT NULL,
  city text NOT NULL,
  postcode text,
  country_code char(2) NOT NULL REFERENCES shop.countries
);

CREATE TABLE shop.categories (
  category_id int PRIMARY KEY,
  parent_id int REFERENCES shop.categories,
  name text NOT NULL
);
COMMENT ON TABLE shop.categories IS 'Tree of product categories';

CREATE TABLE shop.products (
  product_id int PRIMARY KEY,
  sku text NOT NULL UNIQUE,
  category_id int NOT NULL REFERENCES shop.categories,
  title text NOT NULL,
  list_price numeric(12, 2) NOT NULL CHECK (list_price >= 0),
  unit_cost numeric(12, 2) NOT NULL,
  active boolean NOT NULL DEFAULT true,
  attributes jsonb NOT NULL DEFAULT '{}'
);
COMMENT ON COLUMN shop.products.unit_cost IS 'Average purchase price, in euro';

CREATE TYPE shop.order_status AS ENUM ('placed', 'paid', 'shipped', 'returned', 'cancelled');

CREATE TABLE shop.orders (
  order_id bigint PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES shop.customers,
  address_id bigint REFERENCES shop.addresses,
  status shop.order_status NOT NULL DEFAULT 'placed',
  currency char(3) NOT NULL,
  ordered_at timestamptz NOT NULL,
  coupon text
);
COMMENT ON TABLE shop.orders IS 'One row an order; lines are in order_items';

CREATE TABLE shop.order_items (
  order_id bigint NOT NULL REFERENCES shop.orders,
  line int NOT NULL,
  product_id int NOT NULL REFERENCES shop.products,
  quantity int NOT NULL CHECK (quantity > 0),
  unit_price numeric(12, 2) NOT NULL,
  discount numeric(12, 2) NOT NULL DEFAULT 0,
  PRIMARY KEY (order_id, line)
);

CREATE TABLE shop.payments (
  payment_id bigint PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES shop.orders,
  method text NOT NULL,
  amount numeric(12, 2) NOT NULL,
  paid_at timestamptz NOT NULL
);

CREATE TABLE shop.returns (
  order_id bigint NOT NULL,
  line int NOT NULL,
  reason text,
  returned_at timestamptz NOT NULL,
  quantity int NOT NULL,
  PRIMARY KEY (order_id, line),
  FOREIGN KEY (order_id, line) REFERENCES shop.order_items (order_id, line)
);

CREATE SCHEMA inventory;
COMMENT ON SCHEMA inventory IS 'Stock and purchasing, loaded from the warehouse system every night';

CREATE TABLE inventory.warehouses (
  warehouse_id int PRIMARY KEY,
  name text NOT NULL,
  country_code char(2) NOT NULL REFERENCES shop.countries
);
CREATE TABLE inventory.suppliers (supplier_id int PRIMARY KEY, name text NOT NULL, rating numeric(3, 1), contact_email text);
CREATE TABLE inventory.supplier_products (
  supplier_id int REFERENCES inventory.suppliers,
  product_id int REFERENCES shop.products,
  lead_time_days int NOT NULL,
  price numeric(12, 2) NOT NULL,
  PRIMARY KEY (supplier_id, product_id)
);
CREATE TABLE inventory.stock_levels (
  warehouse_id int REFERENCES inventory.warehouses,
  product_id int REFERENCES shop.products,
  on_hand int NOT NULL,
  reserved int NOT NULL DEFAULT 0,
  available int GENERATED ALWAYS AS (on_hand - reserved) STORED,
  counted_at date NOT NULL,
  PRIMARY KEY (warehouse_id, product_id)
);
COMMENT ON COLUMN inventory.stock_levels.available IS 'What can still be sold';
CREATE TABLE inventory.purchase_orders (
  purchase_order_id int PRIMARY KEY,
  supplier_id int NOT NULL REFERENCES inventory.suppliers,
  warehouse_id int NOT NULL REFERENCES inventory.warehouses,
  ordered_on date NOT NULL,
  expected_on date
);
CREATE TABLE inventory.purchase_order_lines (
  purchase_order_id int REFERENCES inventory.purchase_orders,
  product_id int REFERENCES shop.products,
  quantity int NOT NULL,
  price numeric(12, 2) NOT NULL,
  PRIMARY KEY (purchase_order_id, product_id)
);
CREATE TABLE inventory.shipments (
  shipment_id bigint PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES shop.orders,
  warehouse_id int NOT NULL REFERENCES inventory.warehouses,
  carrier text NOT NULL,
  shipped_at timestamptz NOT NULL,
  delivered_at timestamptz
);
CREATE TABLE inventory.movements (
  movement_id bigint PRIMARY KEY,
  warehouse_id int NOT NULL REFERENCES inventory.warehouses,
  product_id int NOT NULL REFERENCES shop.products,
  quantity int NOT NULL,
  moved_at timestamptz NOT NULL
);

CREATE SCHEMA crm;
COMMENT ON SCHEMA crm IS 'Sales accounts and support, synchronised from the customer system';
CREATE TABLE crm.accounts (account_id uuid PRIMARY KEY, name text NOT NULL, industry text, country_code char(2) REFERENCES shop.countries, owner_email text);
CREATE TABLE crm.contacts (contact_id uuid PRIMARY KEY, account_id uuid REFERENCES crm.accounts, customer_id bigint REFERENCES shop.customers, full_name text NOT NULL, email text, phone text);
COMMENT ON COLUMN crm.contacts.phone IS 'Personal data';
CREATE TABLE crm.leads (lead_id uuid PRIMARY KEY, account_id uuid REFERENCES crm.accounts, campaign_id int, score int, created_at timestamptz NOT NULL);
CREATE TABLE crm.opportunities (opportunity_id uuid PRIMARY KEY, account_id uuid REFERENCES crm.accounts, stage text NOT NULL, amount numeric(14, 2), close_on date);
CREATE TABLE crm.tickets (ticket_id bigint PRIMARY KEY, customer_id bigint REFERENCES shop.customers, subject text NOT NULL, priority int NOT NULL DEFAULT 3, opened_at timestamptz NOT NULL, closed_at timestamptz);
CREATE TABLE crm.ticket_messages (ticket_id bigint REFERENCES crm.tickets, seq int, author text NOT NULL, body text NOT NULL, PRIMARY KEY (ticket_id, seq));
CREATE TABLE crm.satisfaction (ticket_id bigint PRIMARY KEY REFERENCES crm.tickets, score int NOT NULL CHECK (score BETWEEN 1 AND 5), remark text);

CREATE SCHEMA web;
COMMENT ON SCHEMA web IS 'Behaviour on the web site and spending on advertisements';
CREATE TABLE web.sessions (session_id uuid PRIMARY KEY, customer_id bigint REFERENCES shop.customers, started_at timestamptz NOT NULL, device text, referrer text, campaign_id int);
CREATE TABLE web.events (
  event_id bigint NOT NULL,
  session_id uuid NOT NULL,
  event_type text NOT NULL,
  product_id int,
  occurred_at timestamptz NOT NULL,
  payload jsonb,
  PRIMARY KEY (event_id, occurred_at)
) PARTITION BY RANGE (occurred_at);
COMMENT ON TABLE web.events IS 'Clicks and page views, a partition a quarter';
CREATE TABLE web.events_2026_q1 PARTITION OF web.events FOR VALUES FROM ('2026-01-01') TO ('2026-04-01');
CREATE TABLE web.events_2026_q2 PARTITION OF web.events FOR VALUES FROM ('2026-04-01') TO ('2026-07-01');
CREATE TABLE web.events_2026_q3 PARTITION OF web.events FOR VALUES FROM ('2026-07-01') TO ('2026-10-01');
CREATE TABLE web.campaigns (campaign_id int PRIMARY KEY, name text NOT NULL, channel text NOT NULL, starts_on date, ends_on date, budget numeric(12, 2));
ALTER TABLE web.sessions ADD FOREIGN KEY (campaign_id) REFERENCES web.campaigns;
ALTER TABLE crm.leads ADD FOREIGN KEY (campaign_id) REFERENCES web.campaigns;
CREATE TABLE web.ad_spend (campaign_id int REFERENCES web.campaigns, day date, impressions bigint NOT NULL, clicks bigint NOT NULL, cost numeric(12, 2) NOT NULL, PRIMARY KEY (campaign_id, day));
CREATE TABLE web.searches (search_id bigint PRIMARY KEY, session_id uuid REFERENCES web.sessions, phrase text NOT NULL, results int NOT NULL, searched_at timestamptz NOT NULL);

CREATE SCHEMA finance;
COMMENT ON SCHEMA finance IS 'Books and rates';
CREATE TABLE finance.exchange_rates (currency char(3), day date, per_euro numeric(14, 6) NOT NULL, PRIMARY KEY (currency, day));
CREATE TABLE finance.cost_centres (cost_centre int PRIMARY KEY, name text NOT NULL);
CREATE TABLE finance.invoices (invoice_id bigint PRIMARY KEY, order_id bigint REFERENCES shop.orders, issued_on date NOT NULL, net numeric(12, 2) NOT NULL, vat numeric(12, 2) NOT NULL);
CREATE TABLE finance.targets (month date, country_code char(2) REFERENCES shop.countries, revenue numeric(14, 2) NOT NULL, PRIMARY KEY (month, country_code));
CREATE TABLE finance.calendar (day date PRIMARY KEY, week int NOT NULL, month date NOT NULL, quarter text NOT NULL, holiday boolean NOT NULL DEFAULT false);
