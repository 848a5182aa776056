/** Being built. */
