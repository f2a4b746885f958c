from mangum.handlers import any_door

APIGateway = HTTPGateway = any_door.AnyDoor
