"""The lease that lets one executor at a time act for a tenant: taken, renewed, lost, left."""
