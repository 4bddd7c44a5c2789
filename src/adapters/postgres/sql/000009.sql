-- Numbers that were given up and are promised still: the dialplan has them until their leases end. They are few among those that were given up.
create index number_retiring on number (free_at) where not in_service;
