from typing import Any

class WriteTxnMarkersRequest:
    def __getattr__(self, name: str) -> Any: ...
