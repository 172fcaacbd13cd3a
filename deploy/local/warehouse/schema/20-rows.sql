-- Enough rows that every view shows something.
INSERT INTO shop.countries VALUES ('DE', 'Germany', 'EUR'), ('FR', 'France', 'EUR'), ('GB', 'United Kingdom', 'GBP'), ('SE', 'Sweden', 'SEK'), ('CH', 'Switzerland', 'CHF');
INSERT INTO shop.customers (email, first_name, last_name, country_code, marketing_consent, created_at)
  SELECT 'customer' || n || '@example.org', (ARRAY['Ada', 'Grace', 'Alan', 'Edsger', 'Barbara'])[1 + n % 5], 'No. ' || n,
    (ARRAY['DE', 'FR', 'GB', 'SE', 'CH'])[1 + n % 5], n % 3 = 0, timestamptz '2026-01-01' + n * interval '7 hours'
  FROM generate_series(1, 200) n;
INSERT INTO shop.addresses (customer_id, street, city, postcode, country_code)
  SELECT customer_id, 'High Street ' || customer_id, 'Town', lpad(customer_id::text, 5, '0'), country_code FROM shop.customers;
INSERT INTO shop.categories VALUES (1, NULL, 'Everything'), (2, 1, 'Kitchen'), (3, 1, 'Garden'), (4, 2, 'Knives'), (5, 3, 'Seeds');
INSERT INTO shop.products (product_id, sku, category_id, title, list_price, unit_cost)
  SELECT n, 'SKU-' || lpad(n::text, 4, '0'), 2 + n % 4, 'Product ' || n, 10 + n, 4 + n / 2.0 FROM generate_series(1, 60) n;
INSERT INTO shop.orders (order_id, customer_id, address_id, status, currency, ordered_at)
  SELECT n, 1 + n % 200, 1 + n % 200, (ARRAY['placed', 'paid', 'shipped', 'returned', 'cancelled'])[1 + n % 5]::shop.order_status,
    (ARRAY['EUR', 'GBP', 'SEK', 'CHF'])[1 + n % 4], timestamptz '2026-01-05' + n * interval '4 hours'
  FROM generate_series(1, 1000) n;
INSERT INTO shop.order_items SELECT n, l, 1 + (n * l) % 60, 1 + n % 3, 10 + (n * l) % 60, n % 2 FROM generate_series(1, 1000) n, generate_series(1, 2) l;
INSERT INTO shop.payments SELECT n, n, (ARRAY['card', 'transfer'])[1 + n % 2], 20 + n % 90, timestamptz '2026-01-05' + n * interval '5 hours' FROM generate_series(1, 1000) n WHERE n % 5 IN (1, 2, 3);
INSERT INTO shop.returns SELECT n, 1, 'too small', timestamptz '2026-02-05' + n * interval '4 hours', 1 FROM generate_series(3, 1000, 5) n;
INSERT INTO inventory.warehouses VALUES (1, 'Leipzig', 'DE'), (2, 'Lyon', 'FR');
INSERT INTO inventory.suppliers SELECT n, 'Supplier ' || n, 3 + n % 2, 'supplier' || n || '@example.org' FROM generate_series(1, 8) n;
INSERT INTO inventory.supplier_products SELECT 1 + n % 8, n, 3 + n % 9, 4 + n / 2.0 FROM generate_series(1, 60) n;
INSERT INTO inventory.stock_levels (warehouse_id, product_id, on_hand, reserved, counted_at) SELECT w, n, (n * 7) % 50, n % 5, date '2026-06-01' FROM generate_series(1, 60) n, generate_series(1, 2) w;
INSERT INTO inventory.shipments SELECT n, n, 1 + n % 2, 'DHL', timestamptz '2026-01-06' + n * interval '4 hours', timestamptz '2026-01-08' + n * interval '4 hours' FROM generate_series(2, 1000, 5) n;
INSERT INTO web.campaigns VALUES (1, 'Spring', 'search', '2026-03-01', '2026-05-31', 20000), (2, 'Garden', 'social', '2026-04-01', '2026-06-30', 9000);
INSERT INTO web.ad_spend SELECT c, date '2026-03-01' + n, 1000 + n, 30 + n % 7, 12.5 + n % 5 FROM generate_series(0, 60) n, generate_series(1, 2) c;
INSERT INTO finance.calendar SELECT d, extract(week FROM d), date_trunc('month', d), to_char(d, 'YYYY"Q"Q') FROM generate_series(date '2026-01-01', date '2026-12-31', interval '1 day') d;
INSERT INTO finance.exchange_rates SELECT c, day, CASE c WHEN 'EUR' THEN 1 WHEN 'GBP' THEN 0.86 WHEN 'SEK' THEN 11.2 ELSE 0.94 END FROM finance.calendar, unnest(ARRAY['EUR', 'GBP', 'SEK', 'CHF']) c;
INSERT INTO finance.targets SELECT DISTINCT month, code, 5000 FROM finance.calendar, shop.countries;
INSERT INTO crm.tickets SELECT n, 1 + n, 'Where is my order?', 1 + n % 3, timestamptz '2026-02-01' + n * interval '9 hours', timestamptz '2026-02-02' + n * interval '9 hours' FROM generate_series(1, 90) n;
INSERT INTO crm.satisfaction SELECT n, 1 + n % 5, NULL FROM generate_series(1, 90, 2) n;
