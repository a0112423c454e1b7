"""FreeSWITCH as the PBX under test."""
