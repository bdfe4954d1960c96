"""What `nocturne init` sees, asks and says."""
