-- The numbers that decide between findings and their severities, each once, in one row. What decides whether a
-- growth has stopped and what a forecast is made of is in analyze/growth.cpp.
--   near_limit_percent of a limit in use: near it
--   soon_hours         a forecast within so many hours is as bad as the limit itself
--   few_fds, few_part  in a recording that is shorter than the grace period, fewer dead sockets than few_fds, or
--                      than one in few_part of all fds, are a few, unless they are more than half of them; fewer than
--                      few_fds are too few also for accept-queue, half-closed, unread-data, unanswered (a warning) and
--                      connections-without-fd
--   few_more           sockets without a live peer that came, or went, in the second half of a recording: fewer are traffic;
--                      so many that were closed after the grace period show that such ones are
--   late_factor        sockets without a live peer that are older than so many times the age at which others were closed
--                      late are not merely late
--   late_part          nor are those that are open and become more, if not one for so many of them was closed late
--   few_free, seen_growth   where fewer numbers than few_free are free below a limit, and the pace before would have
--                      taken seen_growth since, the limit has stopped the growth, as that of a leak of two fds at once
--   still_part         of a group of fds: less than one part in so many of its mean growth in the last quarter is
--                      no growth any more
--   least_growth       a number of fds that rose by fewer is traffic (kMinimumGrowth of analyze/growth.h)
--   forecast_snapshots   a forecast takes as many (kMinimumForecastPoints)
CREATE TABLE threshold AS
SELECT 80 AS near_limit_percent, 24 AS soon_hours, 8 AS few_fds, 5 AS few_part, 3 AS few_more, 1.5 AS late_factor,
  4 AS late_part, 3 AS few_free, 10 AS seen_growth, 10 AS still_part, 20 AS least_growth, 5 AS forecast_snapshots;
