"""The page of the chat: HTML, a stylesheet and JavaScript modules, as they are sent."""
