using Akvam.Cli.Commands;

return CommandLine.Run(args);
